#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/router/decision.hpp"
#include "router/admission_core.hpp"

#include <limits>
#include <optional>

namespace ollama_proxy::router {

/// How long a request of this level would wait for a slot: those before it and itself, at the pace
/// at which slots came back lately. Nothing when no slot has come back yet. Pure.
[[nodiscard]] std::optional<Clock::duration> expected_wait(const Occupancy& occupancy,
                                                           unsigned slots, Priority level);

/// When the best backends are full: is it better to wait for one of them than to take the next?
/// Fed with the candidates of one decision in their order. Pure.
class WaitOrNext {
  public:
    /// `waited`: how long the request has waited already.
    WaitOrNext(const Decision& decision, Clock::duration waited);

    /// This candidate has no free slot; `expected` is the wait for one. An expectation that has
    /// turned out wrong, because more than twice that time has passed, counts no longer.
    void found_full(const RankedCandidate& candidate, const CandidateFacts& facts,
                    std::optional<Clock::duration> expected);
    /// Whether taking it beats waiting for any of those found full.
    [[nodiscard]] bool worth_taking(const RankedCandidate& candidate) const;

  private:
    const Decision& decision_;
    Clock::duration waited_;
    double to_beat_ = -std::numeric_limits<double>::infinity();
};

}  // namespace ollama_proxy::router
