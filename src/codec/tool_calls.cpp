#include "ollama_proxy/codec/tool_calls.hpp"

#include "codec/json_cursor.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace ollama_proxy::codec {
namespace {

struct Fragment {
    std::optional<std::uint64_t> index;
    JsonValue id, name, arguments;
};

std::string text_of(const JsonValue& value) {
    if (value.kind == JsonKind::string) return decode_json_string(value.inside());
    return std::string(value.raw);
}

Fragment read_fragment(JsonCursor& cursor) {
    Fragment fragment;
    each_member(cursor, [&](std::string_view key) {
        if (key == "function") {
            each_member(cursor, [&](std::string_view inner) {
                const JsonValue value = cursor.take();
                if (inner == "name") fragment.name = value;
                if (inner == "arguments") fragment.arguments = value;
                // Ollama numbers its calls inside of the function
                if (inner == "index") fragment.index = value.as_count();
            });
            return;
        }
        const JsonValue value = cursor.take();
        if (key == "id") fragment.id = value;
        if (key == "index") fragment.index = value.as_count();
    });
    return fragment;
}

}  // namespace

void ToolCalls::add(std::string_view fragments) {
    if (fragments.empty() || overflowed_) return;
    bytes_ += fragments.size();
    if (bytes_ > kMaxBytes) {
        overflowed_ = true;
        return;
    }
    JsonCursor cursor(fragments);
    if (cursor.peek() != JsonKind::array) return;
    cursor.enter_array();
    while (cursor.next_element()) {
        const Fragment fragment = read_fragment(cursor);
        const std::uint64_t next = calls_.empty() ? 0 : calls_.rbegin()->first + 1;
        // arguments that are an object are a whole call, whatever its number
        const bool whole = fragment.arguments.kind == JsonKind::object;
        const std::uint64_t index = whole ? next : fragment.index.value_or(next);
        Call& call = calls_[index];
        if (fragment.id.has_content()) call.id = text_of(fragment.id);
        if (fragment.name.has_content()) call.name = text_of(fragment.name);
        if (!fragment.arguments.absent()) call.arguments += text_of(fragment.arguments);
    }
}

std::string ToolCalls::json() const {
    if (calls_.empty()) return {};
    auto out = nlohmann::ordered_json::array();
    for (const auto& [index, call] : calls_) {
        nlohmann::ordered_json one;
        one["id"] = call.id.empty() ? "call_" + std::to_string(index) : call.id;
        one["type"] = "function";
        one["function"] = {{"name", call.name}, {"arguments", call.arguments}};
        out.push_back(std::move(one));
    }
    return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ollama_proxy::codec
