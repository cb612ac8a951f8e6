#include "ollama_proxy/codec/request_scan.hpp"

#include "codec/json_cursor.hpp"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <utility>

namespace ollama_proxy::codec {
namespace {

constexpr std::size_t kModelNameLimit = 512;

/// The members of the top object that matter, each with its last value.
struct Members {
    JsonValue model, name, stream, stream_options, messages, prompt, input, images, keep_alive;
    Conversation conversation;
};

/// What a backend reads as the key: "mod\u0065l" is "model". `storage` holds what is decoded.
std::string_view plain_key(std::string_view key, std::string& storage) {
    if (key.find('\\') == std::string_view::npos) return key;
    storage = decode_json_string(key);
    return storage;
}

JsonValue* slot_for(Members& members, std::string_view written) {
    std::string storage;
    const std::string_view key = plain_key(written, storage);
    const std::array<std::pair<std::string_view, JsonValue*>, 9> slots{{
        {"model", &members.model},
        {"name", &members.name},
        {"stream", &members.stream},
        {"stream_options", &members.stream_options},
        {"messages", &members.messages},
        {"prompt", &members.prompt},
        {"input", &members.input},
        {"images", &members.images},
        {"keep_alive", &members.keep_alive},
    }};
    for (const auto& [name, slot] : slots) {
        if (key == name) return slot;
    }
    return nullptr;
}

Error invalid(std::string message, std::string param = {}) {
    return make_error(Errc::invalid_request, std::move(message), std::move(param));
}

/// Takes one message; true when it is the assistant's.
bool take_message(JsonCursor& cursor) {
    bool of_assistant = false;
    each_member(cursor, [&](std::string_view key) {
        const JsonValue value = cursor.take();
        if (key == "role") of_assistant = value.raw == "\"assistant\"";
    });
    return of_assistant;
}

/// Takes the array of messages, and notes on the way where the turns are.
JsonValue take_messages(std::string_view body, JsonCursor& cursor, Conversation& out) {
    out = {};
    const std::size_t begin = cursor.offset();
    bool answered = false;
    cursor.enter_array();
    while (cursor.next_element()) {
        if (out.end == 0) out.begin = cursor.offset();
        const bool of_assistant = take_message(cursor);
        if (of_assistant && !answered) out.before_answer = out.end;
        answered = of_assistant;
        out.end = cursor.offset();
    }
    return {JsonKind::array, body.substr(begin, cursor.offset() - begin)};
}

Result<Members> read_members(std::string_view body) {
    JsonCursor cursor(body);
    const JsonKind kind = cursor.peek();
    if (kind == JsonKind::none && cursor.offset() == body.size()) {
        return invalid("the request body is empty; send a JSON object");
    }
    Members members;
    if (kind == JsonKind::object) {
        cursor.enter_object();
        std::string_view key;
        while (cursor.next_member(key)) {
            JsonValue* const slot = slot_for(members, key);
            const bool turns = slot == &members.messages && cursor.peek() == JsonKind::array;
            const JsonValue value =
                turns ? take_messages(body, cursor, members.conversation) : cursor.take();
            if (slot) *slot = value;
        }
    } else {
        cursor.take();
    }
    if (cursor.fault() == JsonCursor::Fault::depth) {
        return invalid("the request body is nested deeper than 64 levels");
    }
    if (!cursor.at_end()) {
        return invalid("the request body is not valid JSON (at byte " +
                       std::to_string(cursor.offset()) + ")");
    }
    if (!simdjson::validate_utf8(body.data(), body.size())) {
        return invalid("the request body is not valid UTF-8");
    }
    if (kind != JsonKind::object) return invalid("the request body must be a JSON object");
    return members;
}

bool is_ollama(Api api) { return path_of(api).starts_with("/api/"); }

bool can_stream(Api api) {
    switch (api) {
        case Api::chat_completions:
        case Api::completions:
        case Api::responses:
        case Api::messages:
        case Api::ollama_chat:
        case Api::ollama_generate:
            return true;
        default:
            return false;
    }
}

/// Wants the member to be given, as an array or (where allowed) a string.
std::optional<Error> check_text(const JsonValue& value, const char* name, bool string_allowed) {
    if (value.kind == JsonKind::array || (string_allowed && value.kind == JsonKind::string)) {
        return std::nullopt;
    }
    const std::string quoted = std::string("\"") + name + "\"";
    if (value.absent()) return invalid(quoted + " is missing", name);
    return invalid(
        quoted + (string_allowed ? " must be a string or an array" : " must be an array"), name);
}

std::optional<Error> check_required(Api api, const Members& members) {
    switch (api) {
        case Api::chat_completions:
        case Api::messages:
        case Api::count_tokens:
            if (auto error = check_text(members.messages, "messages", false)) return error;
            if (!members.messages.has_content()) {
                return invalid("\"messages\" is empty; send at least one message", "messages");
            }
            return std::nullopt;
        case Api::completions:
            return check_text(members.prompt, "prompt", true);
        case Api::embeddings:
        case Api::responses:
            return check_text(members.input, "input", true);
        default:
            return std::nullopt;  // the backend judges the rest
    }
}

std::optional<Error> read_model(Api api, std::string_view body, const Members& members,
                                RequestScan& scan) {
    JsonValue model = members.model;
    const char* param = "model";
    const bool not_given =
        model.absent() || (model.kind == JsonKind::string && !model.has_content());
    if (is_ollama(api) && not_given && !members.name.absent()) {
        model = members.name;
        param = "name";
    }
    if (model.absent()) return invalid("\"model\" is missing; name the model to use", "model");
    if (model.kind != JsonKind::string) {
        return invalid(std::string("\"") + param + "\" must be a string", param);
    }
    scan.model = decode_json_string(model.inside());
    if (scan.model.empty()) {
        return invalid("\"model\" is empty; name the model to use", param);
    }
    if (scan.model.size() > kModelNameLimit) {
        return invalid("the model name is longer than 512 bytes", param);
    }
    // Names go into log lines and metric labels, and no model has such a name.
    if (std::any_of(scan.model.begin(), scan.model.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return invalid("the model name holds control characters", param);
    }
    scan.model_begin = static_cast<std::size_t>(model.raw.data() - body.data());
    scan.model_end = scan.model_begin + model.raw.size();
    return std::nullopt;
}

bool wants_usage(const JsonValue& stream_options) {
    if (stream_options.kind != JsonKind::object) return false;
    bool wanted = false;
    JsonCursor cursor(stream_options.raw);
    cursor.enter_object();
    std::string_view key;
    while (cursor.next_member(key)) {
        const JsonValue value = cursor.take();
        std::string storage;
        if (plain_key(key, storage) == "include_usage") wanted = value.is_true();
    }
    return wanted;
}

/// 0, 0.0, "0", "0s", "0m0s": Ollama takes seconds or a duration in Go's form.
bool is_zero_duration(const JsonValue& value) {
    if (value.kind == JsonKind::number) return value.as_number() == 0.0;
    if (value.kind != JsonKind::string) return false;
    const std::string text = decode_json_string(value.inside());
    return text.find('0') != std::string::npos &&
           text.find_first_of("123456789") == std::string::npos;
}

}  // namespace

std::string_view path_of(Api api) {
    switch (api) {
        case Api::chat_completions:
            return "/v1/chat/completions";
        case Api::completions:
            return "/v1/completions";
        case Api::embeddings:
            return "/v1/embeddings";
        case Api::responses:
            return "/v1/responses";
        case Api::messages:
            return "/v1/messages";
        case Api::count_tokens:
            return "/v1/messages/count_tokens";
        case Api::ollama_chat:
            return "/api/chat";
        case Api::ollama_generate:
            return "/api/generate";
        case Api::ollama_embed:
            return "/api/embed";
        case Api::ollama_embeddings:
            return "/api/embeddings";
        case Api::ollama_show:
            return "/api/show";
    }
    return {};
}

Result<RequestScan> scan_request(Api api, std::string_view body) {
    const Result<Members> read = read_members(body);
    if (!read) return read.error();
    const Members& members = *read;
    RequestScan scan;
    if (auto error = read_model(api, body, members, scan)) return std::move(*error);
    if (auto error = check_required(api, members)) return std::move(*error);
    if (can_stream(api)) {
        if (!members.stream.absent() && members.stream.kind != JsonKind::boolean) {
            return invalid("\"stream\" must be true or false", "stream");
        }
        scan.stream = members.stream.absent() ? is_ollama(api) : members.stream.is_true();
    }
    scan.include_usage = wants_usage(members.stream_options);
    if (members.messages.kind == JsonKind::array) scan.conversation = members.conversation;
    if (api == Api::ollama_generate) {
        // A prompt of another type than string is for the backend to refuse, not a load.
        const bool prompt_given = members.prompt.kind == JsonKind::string
                                      ? members.prompt.has_content()
                                      : !members.prompt.absent();
        scan.has_prompt = prompt_given || members.images.has_content();
    }
    scan.keep_alive_zero = is_zero_duration(members.keep_alive);
    return scan;
}

std::string replace_model(std::string_view body, const RequestScan& scan, std::string_view model) {
    if (scan.model_end == 0) return std::string(body);
    std::string out(body.substr(0, scan.model_begin));
    out += nlohmann::json(model).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    out += body.substr(scan.model_end);
    return out;
}

}  // namespace ollama_proxy::codec
