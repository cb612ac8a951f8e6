#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <optional>

namespace ollama_proxy::router {

/// After so many newer observations, and after so much time, an observation counts half.
struct HalfLife {
    double count = 1;
    Clock::duration time = std::chrono::hours(1);
};

/// How many observations a configured value counts as (routing contract, section 5).
inline constexpr double kPriorWeight = 5;

/// A mean in which older observations count less. The configured value is kept apart from what was
/// measured and fades as an old observation does, so that it may change in the configuration. A
/// pause alone changes nothing; it makes the next observation count more. Plain values.
struct Ewma {
    double mean = 0;
    double weight = 0;                   ///< how many observations `mean` stands for
    double prior_weight = kPriorWeight;  ///< what is left of the configured value
    TimePoint last{};

    void add(double value, TimePoint now, const HalfLife& half_life);
    /// Measured and configured value together.
    [[nodiscard]] double with_prior(double prior) const;
    /// What was measured alone; nothing while nothing was.
    [[nodiscard]] std::optional<double> measured() const;
};

/// The share of recent requests that failed, after a start of five that did not. Here time heals:
/// without requests the share falls, or a backend that nobody is sent to would stay bad for ever.
struct ErrorRate {
    double failures = 0;
    double weight = 0;
    TimePoint last{};

    void add(bool failed, TimePoint now, const HalfLife& half_life);
    [[nodiscard]] double share(TimePoint now, const HalfLife& half_life) const;
};

}  // namespace ollama_proxy::router
