#include "router/answer_verdict.hpp"

namespace ollama_proxy::router {

bool is_learnt_route(codec::Api api) {
    return api == codec::Api::responses || api == codec::Api::messages ||
           api == codec::Api::count_tokens;
}

Verdict verdict_of(int status, codec::Api api, bool model_listed) {
    switch (status) {
        case 404:
            if (is_learnt_route(api) && model_listed) return Verdict::route_missing;
            return Verdict::model_missing;
        case 405:
        case 501:
            return is_learnt_route(api) ? Verdict::route_missing : Verdict::client_fault;
        case 429:
            return Verdict::busy;
        case 408:
        case 500:
        case 502:
        case 503:
        case 504:
            return Verdict::failed;
        default:
            return status >= 400 ? Verdict::client_fault : Verdict::good;
    }
}

}  // namespace ollama_proxy::router
