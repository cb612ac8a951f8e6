#include "router/refusal_text.hpp"
#include "router/router_impl.hpp"

#include <algorithm>

namespace ollama_proxy::router {
namespace {

constexpr int kUsualWait = 5;

/// Seconds until the first of those that are only left alone for a moment may be asked again.
int seconds_to_wait(const Generation& generation, const Decision& decision, TimePoint now) {
    TimePoint first = kNever;
    for (const RankedCandidate& candidate : decision.refused) {
        const upstream::Backend& backend = *generation.backends->backends[candidate.index];
        if (candidate.refusal == Refusal::parked) first = std::min(first, backend.parked_until());
        if (candidate.refusal == Refusal::breaker_open) {
            first = std::min(first, backend.breaker_retry_at());
        }
    }
    if (first == kNever) return kUsualWait;
    const auto left = std::chrono::ceil<std::chrono::seconds>(first - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 1, 60));
}

}  // namespace

bool speaks_of_model(Refusal refusal) {
    return refusal == Refusal::model_missing || refusal == Refusal::model_pattern ||
           refusal == Refusal::model_size;
}

Error nobody_error(const Generation& generation, const Wanted& wanted, const RoutingHints& hints,
                   const Decision& decision, std::span<const CandidateFacts> facts, TimePoint now) {
    std::string list;
    bool all_model = !decision.refused.empty();
    bool all_api = !decision.refused.empty();
    for (const RankedCandidate& candidate : decision.refused) {
        if (candidate.refusal == Refusal::disabled && decision.refused.size() > 1) {
            // says nothing about what the others have
        } else {
            all_model = all_model && speaks_of_model(candidate.refusal);
            all_api = all_api && candidate.refusal == Refusal::api_missing;
        }
        if (!list.empty()) list += "; ";
        list += facts[candidate.index].id;
        list += ": " + refusal_text(generation, candidate, hints, facts);
    }
    if (list.empty()) list = "no backend is configured";
    if (all_api) {
        return make_error(Errc::not_supported, "no backend has this route (" + list + ")");
    }
    if (all_model) {
        return make_error(Errc::model_not_found,
                          "model '" + wanted.model + "' is not available (" + list + ")", "model");
    }
    Error error =
        make_error(Errc::no_available_backends, "no backend can take the request (" + list + ")");
    error.retry_after_s = seconds_to_wait(generation, decision, now);
    return error;
}

}  // namespace ollama_proxy::router
