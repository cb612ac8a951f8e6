#include "router/filters.hpp"

#include <algorithm>

namespace ollama_proxy::router {

namespace {

using config::Hardware;

bool over_watts(const CandidateFacts& facts, double limit) {
    if (facts.watts) return !(*facts.watts <= limit);
    // nothing is drawn here for a cloud backend; of any other the promise could not be kept
    return facts.hardware != Hardware::cloud;
}

/// A list that names all four kinds excludes nothing, so it does not exclude the unknown either.
bool in_hardware_list(Hardware hardware, const efficiency::HardwareOrder& order) {
    if (order.contains(hardware)) return true;
    const bool unnamed = hardware == Hardware::unknown || hardware == Hardware::cloud;
    return unnamed && order.size == order.rank.size();
}

}  // namespace

Refusal hard_refusal(const CandidateFacts& facts, const RoutingHints& hints,
                     const DecisionSettings& settings, bool cloud_open) {
    if (facts.refusal != Refusal::none && !is_soft(facts.refusal)) return facts.refusal;
    if (hints.max_power_watts && over_watts(facts, *hints.max_power_watts)) {
        return Refusal::over_watts;
    }
    if (settings.strict_latency && !meets_latency(facts, hints)) return Refusal::over_latency;
    if (facts.hardware == Hardware::cloud && !cloud_open && !facts.target_by_alias) {
        return Refusal::cloud_not_asked;
    }
    return Refusal::none;
}

bool only_cloud_lists_model(std::span<const CandidateFacts> facts) {
    return std::ranges::none_of(facts, [](const CandidateFacts& one) {
        return one.hardware != Hardware::cloud && one.refusal != Refusal::disabled &&
               one.refusal != Refusal::model_missing && one.lists_model;
    });
}

bool meets_latency(const CandidateFacts& facts, const RoutingHints& hints) {
    return !hints.max_latency_ms || !(facts.latency_ms > *hints.max_latency_ms);
}

Refusal mode_refusal(const CandidateFacts& facts, const efficiency::Policy& policy,
                     LiftedLimits lifted) {
    if (!lifted.hardware && !in_hardware_list(facts.hardware, policy.order)) {
        return Refusal::mode_hardware;
    }
    if (!lifted.budget && policy.budget_watts && facts.watts &&
        *facts.watts > *policy.budget_watts) {
        return Refusal::mode_budget;
    }
    if (is_soft(facts.refusal)) return facts.refusal;
    if (policy.fan_limit_percent && facts.fan_percent &&
        *facts.fan_percent > *policy.fan_limit_percent) {
        return Refusal::mode_fan;
    }
    return Refusal::none;
}

bool is_unavailable(Refusal refusal) {
    switch (refusal) {
        case Refusal::disabled:
        case Refusal::unhealthy:
        case Refusal::breaker_open:
        case Refusal::parked:
        case Refusal::already_tried:
            return true;
        default:
            return false;
    }
}

}  // namespace ollama_proxy::router
