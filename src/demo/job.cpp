#include "demo/job.hpp"

namespace ollama_proxy::demo {

namespace {

bool is_native(Dialect dialect) { return family_of(dialect) == Family::native; }

/// What the user says last; "" when there are no messages.
std::string last_user_text(const Json& messages) {
    if (messages.is_string()) return messages.get<std::string>();
    std::string out;
    if (!messages.is_array()) return out;
    for (const Json& message : messages) {
        const std::string role = string_at(message, "role");
        if (role == "user" || role.empty()) out = content_text(find(message, "content"));
    }
    return out;
}

std::string prompt_of(Dialect dialect, const Json& request) {
    const Json* value = nullptr;
    switch (dialect) {
        case Dialect::ollama_generate:
        case Dialect::completions:
            value = find(request, "prompt");
            if (value != nullptr && value->is_array() && !value->empty()) value = &value->front();
            return value != nullptr && value->is_string() ? value->get<std::string>() : "";
        case Dialect::responses:
            value = find(request, "input");
            break;
        default:
            value = find(request, "messages");
            break;
    }
    return value != nullptr ? last_user_text(*value) : "";
}

int limit_of(Dialect dialect, const Json& request) {
    std::optional<std::int64_t> limit;
    if (is_native(dialect)) {
        if (const Json* options = find(request, "options")) limit = int_at(*options, "num_predict");
    } else if (dialect == Dialect::responses) {
        limit = int_at(request, "max_output_tokens");
    } else {
        limit = int_at(request, "max_completion_tokens");
        if (!limit) limit = int_at(request, "max_tokens");
    }
    return limit && *limit > 0 && *limit < 1'000'000'000 ? static_cast<int>(*limit) : 0;
}

/// The JSON text that a structured request gets, or nothing when it asks for plain text.
std::optional<std::string> structured_text(Dialect dialect, const Json& request) {
    const Json* format = find(request, is_native(dialect) ? "format" : "response_format");
    if (dialect == Dialect::responses) {
        const Json* text = find(request, "text");
        format = text != nullptr ? find(*text, "format") : nullptr;
    }
    if (format == nullptr) return std::nullopt;
    const std::string type =
        format->is_string() ? format->get<std::string>() : string_at(*format, "type");
    if (type == "json" || type == "json_object") {
        if (!is_native(dialect) || format->is_string()) {
            return R"({"answer":"simulated","ok":true})";
        }
    }
    const Json* schema = is_native(dialect) ? format : nullptr;
    if (type == "json_schema") {
        const Json* inner = find(*format, "json_schema");
        schema = find(inner != nullptr ? *inner : *format, "schema");
    }
    if (schema == nullptr || !schema->is_object()) return std::nullopt;
    return instance_of(*schema, "simulated").dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add_inputs(const Json* value, std::vector<std::string>& out) {
    if (value == nullptr) return;
    if (value->is_string()) {
        out.push_back(value->get<std::string>());
    } else if (value->is_array() && !value->empty() && value->front().is_number()) {
        out.push_back(value->dump());  // one text as token numbers
    } else if (value->is_array()) {
        for (const Json& item : *value) add_inputs(&item, out);
    }
}

void read_embedding(Job& job, const Json& request) {
    add_inputs(find(request, job.dialect == Dialect::ollama_embeddings ? "prompt" : "input"),
               job.inputs);
    job.base64 = string_at(request, "encoding_format") == "base64";
    if (const auto dimensions = int_at(request, "dimensions");
        dimensions && *dimensions > 0 && *dimensions <= 4096) {
        job.dimensions = static_cast<std::size_t>(*dimensions);
    }
    for (const std::string& input : job.inputs) job.prompt_tokens += estimated_tokens(input.size());
}

void read_generation(Job& job, const Json& request, const DemoSettings& settings) {
    const std::string prompt = prompt_of(job.dialect, request);
    const Json* messages = find(request, "messages");
    job.load_only =
        (job.dialect == Dialect::ollama_generate && prompt.empty() &&
         find(request, "images") == nullptr) ||
        (job.dialect == Dialect::ollama_chat && (messages == nullptr || messages->empty()));
    job.stream = bool_at(request, "stream", is_native(job.dialect));
    if (const Json* options = find(request, "stream_options")) {
        job.include_usage = bool_at(*options, "include_usage", false);
    }
    job.prompt_tokens = estimated_tokens(prompt.size());
    job.tool = choose_tool(request, prompt);
    if (job.tool) return;
    const int limit = limit_of(job.dialect, request);
    if (auto text = structured_text(job.dialect, request)) {
        job.answer = Answer::exact(std::move(*text), limit);
    } else {
        job.answer = Answer::words(settings.name, prompt, settings.tokens, limit);
    }
}

}  // namespace

Family family_of(Dialect dialect) {
    switch (dialect) {
        case Dialect::ollama_chat:
        case Dialect::ollama_generate:
        case Dialect::ollama_embed:
        case Dialect::ollama_embeddings:
            return Family::native;
        case Dialect::messages:
            return Family::anthropic;
        default:
            return Family::openai;
    }
}

std::string content_text(const Json* content) {
    if (content == nullptr) return {};
    if (content->is_string()) return content->get<std::string>();
    std::string out;
    if (!content->is_array()) return out;
    for (const Json& part : *content) {
        if (part.is_object()) out += string_at(part, "text");
    }
    return out;
}

std::variant<Job, Reply> parse_job(Dialect dialect, const State& state, const std::string& body) {
    const Family family = family_of(dialect);
    if (body.empty()) return error_reply(family, 400, "missing request body");
    const Json request = Json::parse(body, nullptr, false);
    if (!request.is_object()) return error_reply(family, 400, "invalid JSON in request body");
    Job job;
    job.dialect = dialect;
    job.model = string_at(request, "model");
    if (job.model.empty() && family == Family::native) job.model = string_at(request, "name");
    if (job.model.empty()) return error_reply(family, 400, "model is required");
    job.keep_alive = parse_keep_alive(find(request, "keep_alive"));
    switch (dialect) {
        case Dialect::ollama_embed:
        case Dialect::ollama_embeddings:
        case Dialect::embeddings:
            read_embedding(job, request);
            if (job.inputs.empty()) return error_reply(family, 400, "invalid input");
            break;
        case Dialect::chat_completions:
        case Dialect::messages:
            if (const Json* messages = find(request, "messages");
                messages == nullptr || !messages->is_array() || messages->empty()) {
                return error_reply(family, 400, "[] is too short - 'messages'");
            }
            [[fallthrough]];
        default:
            read_generation(job, request, state.settings);
            break;
    }
    return job;
}

}  // namespace ollama_proxy::demo
