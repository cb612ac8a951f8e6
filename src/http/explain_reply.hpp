#pragma once

#include "http/reply.hpp"
#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/router/explanation.hpp"

#include <string_view>

namespace ollama_proxy::http {

// POST /explain: the body of any inference route, and what would be decided for it. Pure.

struct ExplainQuestion {
    codec::Api api = codec::Api::chat_completions;
    codec::RequestScan scan;
};

/// Takes `body` as a request of the route that `?route=` names ("/api/chat"), or else of the route
/// that its fields belong to: `messages` to chat, `prompt` to completions, `input` to embeddings,
/// the model alone to chat. Errors: invalid_request, as that route itself would answer.
[[nodiscard]] Result<ExplainQuestion> read_explain_question(std::string_view query,
                                                            std::string_view body);

/// Every candidate with its score, terms and refusal; 200 also when nobody could serve.
[[nodiscard]] Reply explain_reply(const router::Explanation& explanation);

}  // namespace ollama_proxy::http
