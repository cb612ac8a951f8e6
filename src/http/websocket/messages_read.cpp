#include "http/hints.hpp"
#include "http/websocket/messages.hpp"
#include "ollama_proxy/codec/json_text.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <utility>

namespace ollama_proxy::http {
namespace {

using Json = nlohmann::json;
using codec::GenerationMessage;

constexpr std::size_t kMaxId = 128;

Error invalid(std::string_view field, std::string_view expected) {
    return make_error(Errc::invalid_request,
                      "\"" + std::string(field) + "\" must be " + std::string(expected),
                      std::string(field));
}

/// A member that is given, or nullptr: null counts as not given.
const Json* find(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::optional<Error> read_text(const Json& object, const char* name, std::string& out) {
    const Json* value = find(object, name);
    if (!value) return std::nullopt;
    if (!value->is_string()) return invalid(name, "a string");
    out = value->get<std::string>();
    return std::nullopt;
}

std::optional<Error> read_number(const Json& options, const char* name,
                                 std::optional<double>& out) {
    const Json* value = find(options, name);
    if (!value) return std::nullopt;
    if (!value->is_number()) return invalid(name, "a number");
    out = value->get<double>();
    return std::nullopt;
}

std::optional<Error> read_integer(const Json& options, const char* name,
                                  std::optional<std::int64_t>& out) {
    const Json* value = find(options, name);
    if (!value) return std::nullopt;
    const double number = value->is_number() ? value->get<double>() : 0.5;
    if (std::trunc(number) != number || std::abs(number) > 9e15) {
        return invalid(name, "a whole number");
    }
    out = static_cast<std::int64_t>(number);
    return std::nullopt;
}

std::optional<Error> read_texts(const Json& object, const char* name,
                                std::vector<std::string>& out) {
    const Json* value = find(object, name);
    if (!value) return std::nullopt;
    if (value->is_string()) {
        out.push_back(value->get<std::string>());
        return std::nullopt;
    }
    if (!value->is_array()) return invalid(name, "a string or an array of strings");
    for (const Json& one : *value) {
        if (!one.is_string()) return invalid(name, "a string or an array of strings");
        out.push_back(one.get<std::string>());
    }
    return std::nullopt;
}

std::optional<Error> read_options(const Json& message, codec::GenerationOptions& out) {
    const Json* options = find(message, "options");
    if (!options) return std::nullopt;
    if (!options->is_object()) return invalid("options", "an object");
    if (auto error = read_number(*options, "temperature", out.temperature)) return error;
    if (auto error = read_number(*options, "top_p", out.top_p)) return error;
    if (auto error = read_integer(*options, "top_k", out.top_k)) return error;
    if (auto error = read_integer(*options, "max_tokens", out.max_tokens)) return error;
    if (auto error = read_integer(*options, "seed", out.seed)) return error;
    return read_texts(*options, "stop", out.stop);
}

/// OpenAI's form of a content: parts of text and images.
std::optional<Error> read_part(const Json& part, GenerationMessage& out) {
    const Json* type = part.is_object() ? find(part, "type") : nullptr;
    if (type && *type == "text") {
        std::string text;
        if (auto error = read_text(part, "text", text)) return error;
        if (!out.content.empty()) out.content += '\n';
        out.content += text;
        return std::nullopt;
    }
    if (!type || *type != "image_url") {
        return invalid("messages[].content[]", "a part of type text or image_url");
    }
    const Json* image = find(part, "image_url");
    const Json* url = image && image->is_object() ? find(*image, "url") : image;
    if (!url || !url->is_string()) return invalid("messages[].content[].image_url", "a URL");
    out.images.push_back(url->get<std::string>());
    return std::nullopt;
}

std::optional<Error> read_message(const Json& message, GenerationMessage& out) {
    if (!message.is_object()) return invalid("messages[]", "an object");
    if (auto error = read_text(message, "role", out.role)) return error;
    if (auto error = read_texts(message, "images", out.images)) return error;
    const Json* content = find(message, "content");
    if (!content || content->is_string()) return read_text(message, "content", out.content);
    if (!content->is_array()) return invalid("messages[].content", "a string or an array of parts");
    for (const Json& part : *content) {
        if (auto error = read_part(part, out)) return error;
    }
    return std::nullopt;
}

std::optional<Error> read_messages(const Json& message, std::vector<GenerationMessage>& out) {
    const Json* messages = find(message, "messages");
    if (!messages) return std::nullopt;
    if (!messages->is_array()) return invalid("messages", "an array");
    for (const Json& one : *messages) {
        if (auto error = read_message(one, out.emplace_back())) return error;
    }
    return std::nullopt;
}

struct RoutingField {
    const char* name;
    std::string_view header;  ///< whose rules its value follows
};
constexpr std::array kRoutingFields{
    RoutingField{"target_backend", "X-Target-Backend"},
    RoutingField{"latency_critical", "X-Latency-Critical"},
    RoutingField{"power_efficient", "X-Power-Efficient"},
    RoutingField{"max_latency_ms", "X-Max-Latency-Ms"},
    RoutingField{"max_power_watts", "X-Max-Power-Watts"},
    RoutingField{"priority", "X-Priority"},
    RoutingField{"media_type", "X-Media-Type"},
    RoutingField{"session_id", "X-Session-ID"},
};

/// As it would stand in a header; an array or object as JSON, which no header takes.
std::string header_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) {
        const double number = value.get<double>();
        const bool whole = std::trunc(number) == number && std::abs(number) < 1e9;
        if (whole) return std::to_string(static_cast<std::int64_t>(number));  // 50.0 is 50
    }
    return value.dump();
}

std::optional<Error> read_hints(const Json& object, router::RoutingHints& hints) {
    for (const RoutingField& field : kRoutingFields) {
        const Json* value = find(object, field.name);
        if (!value) continue;
        if (auto error = set_hint(field.header, field.name, header_text(*value), hints)) {
            return error;
        }
    }
    return std::nullopt;
}

std::optional<Error> read_kind(const Json& message, ClientMessage& out) {
    std::string type = "request";
    if (auto error = read_text(message, "type", type)) return error;
    if (type != "request" && type != "cancel") {
        return invalid("type", "\"request\" or \"cancel\"");
    }
    if (type == "cancel") {
        out.kind = ClientMessage::Kind::cancel;
        if (out.request_id.empty()) return invalid("request_id", "the id of what to cancel");
    }
    return std::nullopt;
}

std::optional<Error> read_request(const Json& message, ClientMessage& out) {
    auto& generation = out.generation;
    if (auto error = read_text(message, "model", generation.model)) return error;
    if (auto error = read_text(message, "prompt", generation.prompt)) return error;
    if (auto error = read_messages(message, generation.messages)) return error;
    if (auto error = read_options(message, generation.options)) return error;
    if (const Json* stream = find(message, "stream")) {
        if (!stream->is_boolean()) return invalid("stream", "true or false");
        out.stream = stream->get<bool>();
    }
    if (const Json* annotations = find(message, "annotations")) {
        if (!annotations->is_object()) return invalid("annotations", "an object");
        if (auto error = read_hints(*annotations, out.hints)) return error;
    }
    return read_hints(message, out.hints);
}

}  // namespace

void throw_exception_from_error(const BadMessage& bad, const boost::source_location& where) {
    ollama_proxy::throw_exception_from_error(bad.error, where);
}

ReadMessage read_client_message(std::string_view text, const router::RoutingHints& hints) {
    if (auto error = codec::check_json_object(text, "the message")) {
        return BadMessage{{}, std::move(*error)};
    }
    const Json message = Json::parse(text, nullptr, false);
    if (!message.is_object()) {
        // numbers beyond what a double holds
        return BadMessage{{}, make_error(Errc::invalid_request, "the message is not valid JSON")};
    }
    ClientMessage out;
    out.hints = hints;
    if (auto error = read_text(message, "request_id", out.request_id)) {
        return BadMessage{{}, std::move(*error)};
    }
    if (out.request_id.size() > kMaxId) {
        return BadMessage{{}, invalid("request_id", "at most 128 bytes long")};
    }
    auto error = read_kind(message, out);
    if (!error && out.kind == ClientMessage::Kind::request) error = read_request(message, out);
    if (error) return BadMessage{out.request_id, std::move(*error)};
    return out;
}

}  // namespace ollama_proxy::http
