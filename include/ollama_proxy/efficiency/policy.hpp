#pragma once

#include "ollama_proxy/config/config.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace ollama_proxy::efficiency {

/// Weights of the three scorers whose weight depends on the mode (routing contract, section 3).
struct ModeWeights {
    double latency = 0;
    double power = 0;
    double load = 0;
};

/// Hardware from most to least wanted. `amd` ranks with `nvidia`.
struct HardwareOrder {
    std::array<config::Hardware, 5> rank{};  ///< four that are in the machine, and the cloud
    std::size_t size = 0;

    /// 1, 0.75, 0.5, 0.25, 0 by position, 0 when not listed.
    [[nodiscard]] double value_of(config::Hardware hardware) const;
    [[nodiscard]] bool contains(config::Hardware hardware) const;
    /// Whether it leaves out nothing that is in a machine.
    [[nodiscard]] bool contains_all_local() const;
};

/// What the efficiency mode in force asks of the router; one immutable value per change.
struct Policy {
    config::Mode mode = config::Mode::balanced;       ///< what the user set
    config::Mode effective = config::Mode::balanced;  ///< what applies now, never `automatic`
    ModeWeights weights;
    HardwareOrder order;
    std::optional<double> budget_watts;       ///< backends above it are left out (soft)
    std::optional<double> fan_limit_percent;  ///< Quiet
    std::optional<int> max_concurrency;       ///< UltraEfficiency: at most so many requests at once
    bool strict = false;                      ///< efficiency.strict: the mode's limits are hard
    std::string reason = "user";              ///< why `effective` applies
};

/// The documented policy of a mode, without any configuration; `automatic` gives Balanced's. Pure.
[[nodiscard]] Policy builtin_policy(config::Mode effective);

/// The policy of a mode (never `automatic`) with the configuration's changes applied. Pure.
[[nodiscard]] Policy policy_of(config::Mode effective, const config::Config& config);

}  // namespace ollama_proxy::efficiency
