#include "ollama_proxy/codec/json_text.hpp"

#include "codec/json_cursor.hpp"

#include <nlohmann/json.hpp>
#include <simdjson.h>

namespace ollama_proxy::codec {
namespace {

bool needs_escape(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            break;
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out += "\\u00";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
}

}  // namespace

std::string valid_utf8(std::string text) {
    if (simdjson::validate_utf8(text)) return text;
    using Json = nlohmann::json;
    const std::string quoted = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    return decode_json_string(std::string_view(quoted).substr(1, quoted.size() - 2));
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t plain = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!needs_escape(text[i])) continue;
        out.append(text, plain, i - plain);
        append_escape(out, text[i]);
        plain = i + 1;
    }
    out.append(text, plain);
    out += '"';
}

std::optional<Error> check_json_object(std::string_view text, std::string_view what) {
    const auto invalid = [&](std::string_view how) {
        return make_error(Errc::invalid_request, std::string(what) + " " + std::string(how));
    };
    JsonCursor cursor(text);
    const JsonKind kind = cursor.peek();
    cursor.take();
    if (cursor.fault() == JsonCursor::Fault::depth) {
        return invalid("is nested deeper than 64 levels");
    }
    if (!cursor.at_end()) {
        return invalid("is not valid JSON (at byte " + std::to_string(cursor.offset()) + ")");
    }
    if (!simdjson::validate_utf8(text.data(), text.size())) return invalid("is not valid UTF-8");
    if (kind != JsonKind::object) return invalid("must be a JSON object");
    return std::nullopt;
}

}  // namespace ollama_proxy::codec
