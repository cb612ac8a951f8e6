#include "ollama_proxy/router/request.hpp"

#include <utility>

namespace ollama_proxy::router {
namespace {

Result<InferenceRequest> in_both_forms(Result<codec::WrittenBody> openai,
                                       Result<codec::WrittenBody> ollama) {
    if (!openai) return openai.error();
    if (!ollama) return ollama.error();
    InferenceRequest request;
    request.api = openai->api;
    request.body = std::move(openai->body);
    request.scan = std::move(openai->scan);
    request.for_ollama = std::move(*ollama);
    request.fields = "Content-Type: application/json\r\n";
    return request;
}

}  // namespace

Result<InferenceRequest> written_request(const codec::GenerationRequest& wanted) {
    return in_both_forms(codec::write_openai_generation(wanted),
                         codec::write_ollama_generation(wanted));
}

Result<InferenceRequest> written_request(const codec::EmbeddingsRequest& wanted) {
    return in_both_forms(codec::write_openai_embeddings(wanted),
                         codec::write_ollama_embeddings(wanted));
}

}  // namespace ollama_proxy::router
