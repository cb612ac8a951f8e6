#include "router/hints_profile.hpp"

namespace ollama_proxy::router {

namespace {

using config::Mode;

// Only the first three depend on the mode or class.
constexpr double kHardwareWeight = 1;
constexpr double kThermalWeight = 6;
constexpr double kWarmthWeight = 0.2;
constexpr double kAffinityWeight = 0.2;
constexpr double kErrorRateWeight = 2;

bool is_urgent(const RoutingHints& hints) {
    return hints.priority == Priority::critical || hints.latency_critical ||
           hints.media_type == MediaType::realtime;
}

bool is_frugal(const RoutingHints& hints) {
    return hints.priority == Priority::best_effort || hints.power_efficient ||
           hints.media_type == MediaType::batch;
}

/// In the documented order: critical-priority, latency-critical, power-efficient, best-effort.
Reason class_reason(const RoutingHints& hints) {
    if (hints.priority == Priority::critical) return Reason::critical_priority;
    if (is_urgent(hints)) return Reason::latency_critical;
    if (hints.power_efficient) return Reason::power_efficient;
    if (is_frugal(hints)) return Reason::best_effort;
    return Reason::mode_name;
}

Weights weights_of(const efficiency::ModeWeights& mode, const DecisionSettings& settings) {
    Weights weights{mode.latency,   mode.power,    mode.load,       kHardwareWeight,
                    kThermalWeight, kWarmthWeight, kAffinityWeight, kErrorRateWeight};
    for (std::size_t i = 0; i < kScorers; ++i) {
        if (settings.weights[i]) weights[i] = *settings.weights[i];
    }
    if (!settings.power_aware) weights[static_cast<std::size_t>(Scorer::power)] = 0;
    return weights;
}

}  // namespace

RequestProfile profile_of(const RoutingHints& hints, const efficiency::Policy& policy,
                          const DecisionSettings& settings) {
    RequestProfile profile;
    profile.reason = class_reason(hints);
    const auto take = [&](const efficiency::ModeWeights& weights,
                          const efficiency::HardwareOrder& order) {
        profile.weights = weights_of(weights, settings);
        profile.order = order;
    };
    if (is_urgent(hints)) {
        take(settings.performance.weights, settings.performance.order);
        // the two modes that promise silence and frugality keep their word to urgent requests too
        profile.lifts_mode_limits =
            policy.effective != Mode::quiet && policy.effective != Mode::ultra_efficiency;
    } else if (is_frugal(hints)) {
        take(settings.efficiency.weights, settings.efficiency.order);
    } else if (hints.media_type == MediaType::code) {
        // the order alone would lose against Efficiency's power weight; the mode's limits stay
        take(settings.performance.weights, settings.performance.order);
    } else {
        take(policy.weights, policy.order);
    }
    return profile;
}

}  // namespace ollama_proxy::router
