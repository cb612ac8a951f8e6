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
    return unnamed && order.contains_all_local();
}

bool is_unasked_cloud(const CandidateFacts& facts, bool cloud_open) {
    return facts.hardware == Hardware::cloud && !cloud_open && !facts.target_by_alias;
}

/// Calls `found` for each of the mode's limits that is broken, until it says that it has enough.
template <class Found>
void each_mode_refusal(const CandidateFacts& facts, const efficiency::Policy& policy,
                       LiftedLimits lifted, const Found& found) {
    const bool left_out = !lifted.hardware && !in_hardware_list(facts.hardware, policy.order);
    if (left_out && found(Refusal::mode_hardware)) return;
    const bool over_budget =
        !lifted.budget && policy.budget_watts && facts.watts && *facts.watts > *policy.budget_watts;
    if (over_budget && found(Refusal::mode_budget)) return;
    const bool loud = policy.fan_limit_percent && facts.fan_percent &&
                      *facts.fan_percent > *policy.fan_limit_percent;
    if (loud) found(Refusal::mode_fan);
}

}  // namespace

Refusal hard_refusal(const CandidateFacts& facts, const RoutingHints& hints,
                     const DecisionSettings& settings, bool cloud_open) {
    if (facts.refusal != Refusal::none) return facts.refusal;
    if (hints.max_power_watts && over_watts(facts, *hints.max_power_watts)) {
        return Refusal::over_watts;
    }
    if (settings.strict_latency && !meets_latency(facts, hints)) return Refusal::over_latency;
    if (is_unasked_cloud(facts, cloud_open)) return Refusal::cloud_not_asked;
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
    Refusal first = Refusal::none;
    each_mode_refusal(facts, policy, lifted, [&](Refusal found) {
        first = found;
        return true;
    });
    return first;
}

void add_refusals(const CandidateFacts& facts, const RoutingHints& hints,
                  const efficiency::Policy& policy, bool cloud_open, LiftedLimits lifted,
                  std::vector<Refusal>& out) {
    if (hints.max_power_watts && over_watts(facts, *hints.max_power_watts)) {
        out.push_back(Refusal::over_watts);
    }
    if (!meets_latency(facts, hints)) out.push_back(Refusal::over_latency);
    if (is_unasked_cloud(facts, cloud_open)) out.push_back(Refusal::cloud_not_asked);
    each_mode_refusal(facts, policy, lifted, [&](Refusal found) {
        out.push_back(found);
        return false;
    });
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
