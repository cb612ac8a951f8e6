#pragma once

#include "ollama_proxy/router/decision.hpp"

#include <limits>
#include <span>

namespace ollama_proxy::router {

/// What each scorer says of one backend, 0..1 and not weighted, or kUnknown.
using ScorerValues = std::array<double, kScorers>;
inline constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// The value of each kind of hardware in one order, looked up once per request.
class HardwareValues {
  public:
    explicit HardwareValues(const efficiency::HardwareOrder& order);
    [[nodiscard]] double of(config::Hardware hardware) const {
        return values_[static_cast<std::size_t>(hardware)];
    }

  private:
    std::array<double, static_cast<std::size_t>(config::Hardware::unknown) + 1> values_{};
};

/// The formulas of the routing contract, section 3. Absolute: no other backend has a say. An input
/// that is not a number counts as not known.
[[nodiscard]] ScorerValues score_values(const CandidateFacts& facts,
                                        const HardwareValues& hardware);

/// 400 / (400 + ms), or kUnknown when the time is not known (0).
[[nodiscard]] double latency_value(double ms);

/// Fills `terms` of every candidate: value x weight, where an unknown value is the mean of the
/// usable candidates (refusal none) that know it, else 1; and `score`, their sum.
void score_all(std::span<RankedCandidate> candidates, std::span<const CandidateFacts> facts,
               const HardwareValues& hardware, const Weights& weights);

/// The sum of the terms, with `without` left out where given: what the score would be if that
/// scorer said the same of everybody. Rounded to 1e-9, so that equal backends tie exactly.
[[nodiscard]] double total(const RankedCandidate& candidate,
                           std::optional<Scorer> without = std::nullopt);

}  // namespace ollama_proxy::router
