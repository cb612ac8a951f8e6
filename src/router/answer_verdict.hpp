#pragma once

#include "ollama_proxy/codec/request_scan.hpp"

namespace ollama_proxy::router {

/// What an answer's status means for routing (failures contract, rows 15-18; routing, section 6).
enum class Verdict {
    good,           ///< pass it on
    client_fault,   ///< pass it on: asking elsewhere would give the same
    model_missing,  ///< 404 for the model: ask the next one that may have it
    route_missing,  ///< the backend lacks this API: remember, ask the next one
    busy,           ///< 429: full, not broken; park it, ask the next one
    failed,         ///< 408, 500, 502, 503, 504: ask one more
};

/// `model_listed`: the catalog of that backend has the model, so a 404 speaks of the route.
[[nodiscard]] Verdict verdict_of(int status, codec::Api api, bool model_listed);

/// True for /v1/responses, /v1/messages and count_tokens.
[[nodiscard]] bool is_learnt_route(codec::Api api);

}  // namespace ollama_proxy::router
