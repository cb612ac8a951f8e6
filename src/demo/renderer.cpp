#include "demo/renderer.hpp"

namespace ollama_proxy::demo {

std::string Renderer::id(std::string_view prefix) const {
    return std::string(prefix) + std::to_string(number_);
}

std::int64_t Renderer::created() const {
    return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

void Renderer::dump(std::string& out, const Json& json) {
    out += json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::unique_ptr<Renderer> make_renderer(const Job& job, State& state, std::uint64_t number) {
    switch (job.dialect) {
        case Dialect::chat_completions:
        case Dialect::completions:
        case Dialect::embeddings:
            return make_openai_renderer(job, state, number);
        case Dialect::responses:
            return make_responses_renderer(job, state, number);
        case Dialect::messages:
            return make_messages_renderer(job, state, number);
        default:
            return make_native_renderer(job, state, number);
    }
}

}  // namespace ollama_proxy::demo
