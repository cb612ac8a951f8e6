#include "router/refusal_text.hpp"

#include <cstdio>

namespace ollama_proxy::router {
namespace {

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

}  // namespace

std::string refusal_text(const Generation& generation, const RankedCandidate& candidate,
                         const RoutingHints& hints, std::span<const CandidateFacts> facts) {
    const upstream::Backend& backend = *generation.backends->backends[candidate.index];
    const CandidateFacts& known = facts[candidate.index];
    switch (candidate.refusal) {
        case Refusal::none:
            return {};
        case Refusal::over_watts:
            return (known.watts ? number(*known.watts) + " W" : std::string("power not known")) +
                   " against X-Max-Power-Watts " + number(hints.max_power_watts.value_or(0)) + " W";
        case Refusal::over_latency:
            return number(known.latency_ms) + " ms against X-Max-Latency-Ms " +
                   std::to_string(hints.max_latency_ms.value_or(0));
        case Refusal::unhealthy: {
            const std::string reason = backend.health_reason();
            return reason.empty() ? "unhealthy" : "unhealthy: " + reason;
        }
        case Refusal::disabled:
            return "disabled in the configuration";
        case Refusal::breaker_open:
            return "failing: left alone for a moment";
        case Refusal::api_missing:
            return "does not have this route";
        case Refusal::model_missing:
            return "does not have the model";
        case Refusal::model_pattern:
            return "may not load the model (patterns)";
        case Refusal::model_size:
            return "model larger than max_model_size_gb";
        case Refusal::cloud_not_asked:
            return "cloud serves only when asked by name";
        case Refusal::parked:
            return "busy: answered 429";
        case Refusal::already_tried:
            return "failed for this request";
        case Refusal::mode_hardware:
            return "hardware that the mode leaves out";
        case Refusal::mode_budget:
            return (known.watts ? number(*known.watts) + " W is" : std::string("power is")) +
                   " over the mode's budget";
        case Refusal::mode_fan:
            return "its fan is over the mode's limit";
        case Refusal::not_target:
            return "another backend was named";
    }
    return {};
}

}  // namespace ollama_proxy::router
