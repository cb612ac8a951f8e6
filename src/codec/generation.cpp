#include "ollama_proxy/codec/generation.hpp"

#include "codec/json_cursor.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace ollama_proxy::codec {
namespace {

using Json = nlohmann::ordered_json;

template <class Value>
void set(Json& object, const char* name, const std::optional<Value>& value) {
    if (value) object[name] = *value;
}

void set_sampling(Json& object, const GenerationOptions& options, const char* max_tokens_name) {
    set(object, "temperature", options.temperature);
    set(object, "top_p", options.top_p);
    set(object, "top_k", options.top_k);
    set(object, max_tokens_name, options.max_tokens);
    set(object, "seed", options.seed);
    if (!options.stop.empty()) object["stop"] = options.stop;
}

Json ollama_options(const GenerationOptions& options) {
    Json out = Json::object();
    set_sampling(out, options, "num_predict");
    return out;
}

/// The base64 behind the comma of a `data:` URL: Ollama takes nothing else.
std::string_view base64_of(std::string_view image) {
    if (!image.starts_with("data:")) return image;
    const std::size_t comma = image.find(',');
    return comma == image.npos ? image : image.substr(comma + 1);
}

/// OpenAI servers want to be told the type; the first bytes of a file say it.
std::string data_url_of(const std::string& image) {
    const std::string_view text = image;
    if (text.starts_with("data:") || text.starts_with("http://") || text.starts_with("https://")) {
        return image;
    }
    std::string_view type = "image/jpeg";
    if (text.starts_with("iVBOR")) type = "image/png";
    if (text.starts_with("R0lG")) type = "image/gif";
    if (text.starts_with("UklG")) type = "image/webp";
    return "data:" + std::string(type) + ";base64," + image;
}

Json ollama_message(const GenerationMessage& message) {
    Json out{{"role", message.role}, {"content", message.content}};
    for (const std::string& image : message.images) out["images"].push_back(base64_of(image));
    return out;
}

Json openai_message(const GenerationMessage& message) {
    if (message.images.empty()) return {{"role", message.role}, {"content", message.content}};
    Json parts = Json::array();
    if (!message.content.empty()) {
        parts.push_back({{"type", "text"}, {"text", message.content}});
    }
    for (const std::string& image : message.images) {
        parts.push_back({{"type", "image_url"}, {"image_url", {{"url", data_url_of(image)}}}});
    }
    return {{"role", message.role}, {"content", std::move(parts)}};
}

std::optional<Error> check_tools(std::string_view tools) {
    if (tools.empty()) return std::nullopt;
    JsonCursor cursor(tools, 60);  // it stands inside the body, which may be 64 deep
    const JsonKind kind = cursor.peek();
    cursor.take();
    if (kind == JsonKind::array && cursor.at_end()) return std::nullopt;
    return make_error(Errc::invalid_request, "\"tools_json\" must be a JSON array", "tools_json");
}

std::optional<Error> check(const GenerationRequest& request) {
    if (request.prompt.empty() && request.messages.empty()) {
        return make_error(Errc::invalid_request,
                          "nothing to answer: send \"prompt\" or \"messages\"", "prompt");
    }
    for (const GenerationMessage& message : request.messages) {
        if (message.role.empty()) {
            return make_error(Errc::invalid_request, "a message lacks its \"role\"", "messages");
        }
    }
    return check_tools(request.tools_json);
}

Result<WrittenBody> finished(Api api, const Json& json, std::string_view tools = {}) {
    WrittenBody out{api, json.dump(-1, ' ', false, Json::error_handler_t::replace), {}};
    if (!tools.empty()) {
        out.body.pop_back();
        out.body.append(",\"tools\":").append(tools).append("}");
    }
    // the rules for a body are the same, whoever wrote it
    auto scan = scan_request(api, out.body);
    if (!scan) return scan.error();
    out.scan = std::move(*scan);
    return out;
}

std::vector<GenerationMessage> messages_of(const GenerationRequest& request) {
    if (!request.messages.empty()) return request.messages;
    return {{"user", request.prompt, {}}};
}

std::optional<Error> check(const EmbeddingsRequest& request) {
    if (!request.inputs.empty()) return std::nullopt;
    return make_error(Errc::invalid_request, "\"input\" is missing", "input");
}

std::vector<float> read_vector(JsonCursor& cursor) {
    std::vector<float> out;
    if (cursor.peek() != JsonKind::array) {
        cursor.take();
        return out;
    }
    cursor.enter_array();
    while (cursor.next_element()) {
        out.push_back(static_cast<float>(cursor.take().as_number().value_or(0)));
    }
    return out;
}

using Vectors = std::vector<std::vector<float>>;

/// One member of OpenAI's `data`; each names its place.
void read_item(JsonCursor& cursor, std::vector<std::pair<std::uint64_t, std::vector<float>>>& out) {
    std::uint64_t index = out.size();
    std::vector<float> vector;
    each_member(cursor, [&](std::string_view key) {
        if (key == "embedding") {
            vector = read_vector(cursor);
            return;
        }
        const JsonValue value = cursor.take();
        if (key == "index") index = value.as_count().value_or(index);
    });
    out.emplace_back(index, std::move(vector));
}

Vectors read_data(JsonCursor& cursor) {
    std::vector<std::pair<std::uint64_t, std::vector<float>>> items;
    cursor.enter_array();
    while (cursor.next_element()) read_item(cursor, items);
    std::stable_sort(items.begin(), items.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    Vectors out;
    for (auto& item : items) out.push_back(std::move(item.second));
    return out;
}

Vectors read_arrays(JsonCursor& cursor) {
    Vectors out;
    cursor.enter_array();
    while (cursor.next_element()) out.push_back(read_vector(cursor));
    return out;
}

}  // namespace

Result<WrittenBody> write_ollama_generation(const GenerationRequest& request) {
    if (auto error = check(request)) return std::move(*error);
    Json json{{"model", request.model}};
    const bool chat = !request.messages.empty() || !request.tools_json.empty();
    if (chat) {
        auto& messages = json["messages"] = Json::array();
        for (const auto& message : messages_of(request))
            messages.push_back(ollama_message(message));
    } else {
        json["prompt"] = request.prompt;
    }
    json["stream"] = true;
    Json options = ollama_options(request.options);
    if (!options.empty()) json["options"] = std::move(options);
    return finished(chat ? Api::ollama_chat : Api::ollama_generate, json, request.tools_json);
}

Result<WrittenBody> write_openai_generation(const GenerationRequest& request) {
    if (auto error = check(request)) return std::move(*error);
    Json json{{"model", request.model}};
    auto& messages = json["messages"] = Json::array();
    for (const auto& message : messages_of(request)) messages.push_back(openai_message(message));
    json["stream"] = true;
    json["stream_options"] = {{"include_usage", true}};
    set_sampling(json, request.options, "max_tokens");
    return finished(Api::chat_completions, json, request.tools_json);
}

Result<WrittenBody> write_ollama_embeddings(const EmbeddingsRequest& request) {
    if (auto error = check(request)) return std::move(*error);
    return finished(Api::ollama_embed, {{"model", request.model}, {"input", request.inputs}});
}

Result<WrittenBody> write_openai_embeddings(const EmbeddingsRequest& request) {
    if (auto error = check(request)) return std::move(*error);
    return finished(
        Api::embeddings,
        {{"model", request.model}, {"input", request.inputs}, {"encoding_format", "float"}});
}

Result<Vectors> read_embeddings(std::string_view body) {
    std::optional<Vectors> found;
    JsonCursor cursor(body);
    each_member(cursor, [&](std::string_view key) {
        const bool is_array = cursor.peek() == JsonKind::array;
        if (is_array && key == "data") {
            found = read_data(cursor);
        } else if (is_array && key == "embeddings") {
            found = read_arrays(cursor);
        } else {
            cursor.take();
        }
    });
    if (!cursor.at_end() || !found) {
        return make_error(Errc::bad_gateway, "the backend's answer holds no embeddings");
    }
    return std::move(*found);
}

}  // namespace ollama_proxy::codec
