#include "demo/model_routes.hpp"

#include "demo/answer.hpp"
#include "demo/job.hpp"

namespace ollama_proxy::demo {

namespace {

struct Body {
    Json json;
    std::string model;
};

/// The body's object and its model (or old `name`), which may be empty.
Body body_of(const Request& request) {
    Body out{Json::parse(request.body, nullptr, false), {}};
    out.model = string_at(out.json, "model");
    if (out.model.empty()) out.model = string_at(out.json, "name");
    return out;
}

}  // namespace

Reply get_root(State&, const Request&, std::string_view) { return text_reply("Ollama is running"); }

Reply get_tags(State& state, const Request&, std::string_view) {
    return json_reply(state.models.tags());
}

Reply get_ps(State& state, const Request&, std::string_view) {
    return json_reply(state.models.running(Clock::now(), std::chrono::system_clock::now()));
}

Reply get_version(State&, const Request&, std::string_view) {
    return json_reply({{"version", "0.11.4"}});
}

Reply post_show(State& state, const Request& request, std::string_view) {
    const Body body = body_of(request);
    if (!body.json.is_object()) return error_reply(Family::native, 400, "missing request body");
    if (body.model.empty()) return error_reply(Family::native, 400, "model is required");
    if (!state.models.has(body.model)) return model_not_found(Family::native, body.model);
    return json_reply(state.models.show(body.model));
}

Reply post_copy(State& state, const Request& request, std::string_view) {
    const Body body = body_of(request);
    const std::string from = string_at(body.json, "source");
    const std::string to = string_at(body.json, "destination");
    if (from.empty() || to.empty()) {
        return error_reply(Family::native, 400, "source and destination are required");
    }
    if (!state.models.copy(from, to, std::chrono::system_clock::now())) {
        return model_not_found(Family::native, from);
    }
    return {};
}

Reply delete_model(State& state, const Request& request, std::string_view) {
    const Body body = body_of(request);
    if (!state.models.remove(body.model)) return model_not_found(Family::native, body.model);
    return {};
}

Reply head_blob(State& state, const Request&, std::string_view rest) {
    Reply reply;
    reply.status = state.blobs.contains(std::string(rest)) ? 200 : 404;
    return reply;
}

Reply get_openai_models(State& state, const Request&, std::string_view) {
    return json_reply(state.models.openai_list());
}

Reply get_openai_model(State& state, const Request&, std::string_view rest) {
    if (!state.models.has(rest)) return model_not_found(Family::openai, rest);
    return json_reply(state.models.openai(rest));
}

Reply count_tokens(State& state, const Request& request, std::string_view) {
    const Body body = body_of(request);
    const Json* messages = find(body.json, "messages");
    if (body.model.empty() || messages == nullptr || !messages->is_array()) {
        return error_reply(Family::anthropic, 400, "model and messages are required");
    }
    if (!state.models.has(body.model)) return model_not_found(Family::anthropic, body.model);
    std::size_t bytes = 0;
    for (const Json& message : *messages) bytes += content_text(find(message, "content")).size();
    return json_reply({{"input_tokens", estimated_tokens(bytes)}});
}

}  // namespace ollama_proxy::demo
