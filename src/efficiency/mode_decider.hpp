#pragma once

#include "efficiency/mode_rules.hpp"
#include "ollama_proxy/common/clock.hpp"

#include <optional>
#include <string>

namespace ollama_proxy::efficiency {

inline constexpr std::chrono::seconds kDwell{5};
/// A heat override goes on for so long when no temperature can be read any more: not known is not
/// cool, but a sensor that is gone must not hold a machine back for ever.
inline constexpr std::chrono::seconds kUnknownHeatHold{60};

/// From the user's mode and the surroundings to the mode that applies, with what a decision needs
/// to remember: the mode in force, heat until it has recovered, a new state until it has lasted.
/// Pure: `now` comes with each look.
class ModeDecider {
  public:
    struct Wishes {
        config::Mode mode = config::Mode::balanced;
        bool quiet_now = false;
        bool by_user = false;  ///< this look was caused by the user: nothing waits
    };
    struct Outcome {
        config::Mode effective = config::Mode::balanced;
        std::string reason;
        TimePoint look_again = kNever;  ///< when time alone may change the outcome
    };

    /// Decides. The first look takes effect at once.
    [[nodiscard]] Outcome look(const Wishes& wishes, const Surroundings& around, TimePoint now);

  private:
    /// Heat that has not recovered yet.
    struct Override {
        Heat heat = Heat::high;  ///< high or critical
        std::string reason;      ///< with the temperature that began it
    };
    /// A mode that must last before it applies.
    struct Pending {
        config::Mode mode;
        TimePoint since;
    };

    /// Whether the override began, rose or ended.
    bool follow_heat(const Surroundings& around, TimePoint now);
    [[nodiscard]] Verdict verdict(const Wishes& wishes, const Surroundings& around) const;

    std::optional<Override> override_;
    std::optional<TimePoint> heat_unknown_since_;
    std::optional<Pending> pending_;
    std::optional<bool> on_battery_;
    PowerBand band_ = PowerBand::unknown;
    config::Mode effective_ = config::Mode::balanced;
    std::string reason_;
    bool looked_ = false;
};

}  // namespace ollama_proxy::efficiency
