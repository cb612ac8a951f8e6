#include "router/wait_or_next.hpp"

#include "router/scorers.hpp"

#include <algorithm>

namespace ollama_proxy::router {

std::optional<Clock::duration> expected_wait(const Occupancy& occupancy, unsigned slots,
                                             Priority level) {
    if (!occupancy.usual_hold) return std::nullopt;
    std::size_t before = 0;
    for (std::size_t i = static_cast<std::size_t>(level); i < kPriorities; ++i) {
        before += occupancy.waiting[i];
    }
    return *occupancy.usual_hold * static_cast<Clock::rep>(before + 1) / std::max(1U, slots);
}

WaitOrNext::WaitOrNext(const Decision& decision, Clock::duration waited)
    : decision_(decision), waited_(waited) {}

void WaitOrNext::found_full(const RankedCandidate& candidate, const CandidateFacts& facts,
                            std::optional<Clock::duration> expected) {
    // a relaxed limit orders by something else than the score: the next in order will do
    const bool by_score =
        decision_.reason != Reason::latency_relaxed && decision_.reason != Reason::mode_relaxed;
    if (!by_score || !expected || waited_ > *expected * 2) return;
    constexpr auto kLatency = static_cast<std::size_t>(Scorer::latency);
    const double value = latency_value(std::max(0.0, facts.latency_ms) + to_ms(*expected));
    const double term = value >= 0 ? value * decision_.weights[kLatency] : 0;
    const double score = candidate.score - std::max(0.0, candidate.terms[kLatency] - term);
    to_beat_ = std::max(to_beat_, score);
}

bool WaitOrNext::worth_taking(const RankedCandidate& candidate) const {
    return candidate.score > to_beat_;
}

}  // namespace ollama_proxy::router
