#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/policy.hpp"
#include "ollama_proxy/router/request.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

// The decision, pure: facts in, ranking out. No clock, no lock, no socket. Formulas and weights
// are those of the routing contract, sections 2 and 3.

enum class Scorer : std::uint8_t {
    latency,     ///< 400 / (400 + estimated time to first token in ms)
    power,       ///< 20 / (20 + watts)
    load,        ///< 1 - min(1, occupancy)^2
    hardware,    ///< place in the mode's or class's order
    thermal,     ///< 0 throttled, else headroom, 1 above 15 degC
    warmth,      ///< 1 loaded now, 0.5 preferred, minus swap cost
    affinity,    ///< the conversation's KV cache is there
    error_rate,  ///< 1 - recent error share
};
inline constexpr std::size_t kScorers = 8;
[[nodiscard]] std::string_view to_string(Scorer scorer);

/// Why a backend cannot take a request. Order = order of the filters; the first that applies is
/// kept.
enum class Refusal : std::uint8_t {
    none,             ///< it can
    disabled,         ///< enabled: false
    unhealthy,        ///< active probes failed
    breaker_open,     ///< circuit breaker open, no free probe
    api_missing,      ///< it lacks the route
    model_missing,    ///< its catalog does not list the model
    model_pattern,    ///< excluded, or not among the supported patterns
    model_size,       ///< larger than max_model_size_gb
    over_watts,       ///< X-Max-Power-Watts
    over_latency,     ///< X-Max-Latency-Ms with router.strict_latency
    cloud_not_asked,  ///< cloud serves only by target, alias, or a model that no local backend
                      ///< lists
    mode_hardware,    ///< not in the mode's hardware list (soft)
    mode_budget,      ///< over the mode's power budget (soft)
    mode_fan,         ///< fan limit of Quiet (soft)
    parked,           ///< it answered 429 and is left alone for a while
    already_tried,    ///< failed for this very request
    not_target,  ///< another backend was named and router.target_fallback is false, or the named
                 ///< one must not serve: then nobody does
};
[[nodiscard]] std::string_view to_string(Refusal refusal);  ///< short word, "over_watts"

/// What is known of one backend at the time of one request.
struct CandidateFacts {
    std::string_view id;
    config::Hardware hardware = config::Hardware::unknown;
    int priority = 0;             ///< configured; higher wins ties
    double latency_ms = 0;        ///< estimated time to first token, load included when cold
    std::optional<double> watts;  ///< estimated power
    double occupancy = 0;         ///< weighted (in flight + waiting) / slots
    bool throttled = false;
    std::optional<double> thermal_headroom_c;
    std::optional<double> fan_percent;
    bool warm = false;  ///< the model is loaded there now
    bool cold = false;  ///< it must be loaded first; neither, where backends do not tell
    std::optional<double> load_ms;  ///< cold: learned time that loading takes
    bool preferred_model = false;
    double swap_cost = 0;            ///< 0..1: loading evicts a model in use
    std::optional<double> affinity;  ///< 1 = session or prefix was there, 0 = was elsewhere
    double error_share = 0;          ///< recent, 0..1
    bool target_by_alias = false;    ///< an alias names this backend (lifts the cloud rule)
    bool lists_model = true;         ///< its catalog lists the model; leave true when not known, so
                                     ///< that the cloud rule keeps such a request on the machine
    Refusal refusal = Refusal::none;  ///< found while gathering the facts: a hard one
};

/// The weights in use for one request, indexed by Scorer.
using Weights = std::array<double, kScorers>;

struct RankedCandidate {
    std::uint32_t index = 0;  ///< into the facts
    double score = 0;
    std::array<double, kScorers> terms{};  ///< value x weight
    Refusal refusal = Refusal::none;
};

/// What a request class brings along: weights and hardware order of another mode.
struct ClassProfile {
    efficiency::ModeWeights weights;
    efficiency::HardwareOrder order;
};
[[nodiscard]] ClassProfile class_profile(const efficiency::Policy& policy);

/// The settings of the configuration that the decision reads.
struct DecisionSettings {
    bool strict_latency = false;
    bool power_aware = true;
    bool target_fallback = true;
    std::array<std::optional<double>, kScorers> weights{};  ///< router.weights
    ClassProfile performance =  ///< of critical, latency-critical, realtime and code requests
        class_profile(efficiency::builtin_policy(config::Mode::performance));
    ClassProfile efficiency =  ///< of best-effort, power-efficient and batch requests
        class_profile(efficiency::builtin_policy(config::Mode::efficiency));
};
[[nodiscard]] DecisionSettings decision_settings(const config::Config& config);

enum class Reason : std::uint8_t {
    none,  ///< nobody can serve
    explicit_target,
    target_unavailable,
    latency_relaxed,
    mode_relaxed,
    thermal,
    queue_depth,
    critical_priority,
    latency_critical,
    power_efficient,
    best_effort,
    mode_name,  ///< the effective mode's name in lower case
};

/// A ranking of all backends for one request; reuse one object to avoid allocation.
struct Decision {
    std::vector<RankedCandidate> usable;   ///< best first; front() is the choice
    std::vector<RankedCandidate> refused;  ///< in configuration order
    Weights weights{};
    Reason reason = Reason::none;
    bool wait_for_target = false;  ///< usable.front() is the explicit target and takes it alone,
                                   ///< full or not; the others there are only its alternatives
};
/// "explicit-target", ..., or the mode's name in lower case ("ultraefficiency"); static text.
[[nodiscard]] std::string_view reason_text(Reason reason, config::Mode effective);

/// Filters, scores and ranks `facts` (in configuration order). Pure; allocates nothing once `out`
/// has its capacity. `target_index`: the backend that X-Target-Backend names, if any.
/// An unknown latency (0) or power passes the soft limits; an unknown power does not pass
/// X-Max-Power-Watts, because that limit is a promise (cloud draws no power here and passes).
void decide(const RoutingHints& hints, std::span<const CandidateFacts> facts,
            std::optional<std::uint32_t> target_index, const efficiency::Policy& policy,
            const DecisionSettings& settings, Decision& out);

}  // namespace ollama_proxy::router
