#pragma once

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/upstream/exchange.hpp"

namespace ollama_proxy::upstream {

/// What of a backend's head is passed on: everything but hop-by-hop fields, lengths, what speaks
/// for the backend's own origin (cookies, CORS, HSTS, server) and names that are ours.
[[nodiscard]] AnswerHead reduce_head(const codec::ResponseHead& head);

}  // namespace ollama_proxy::upstream
