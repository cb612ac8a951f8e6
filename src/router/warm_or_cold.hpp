#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/router/decision.hpp"

#include <optional>

namespace ollama_proxy::router {

/// One backend as it stands in a decision.
struct Standing {
    const RankedCandidate& candidate;
    const CandidateFacts& facts;
};

/// Whether waiting for a full backend that has the model in memory gives the first token sooner
/// than having `cold`, which is free, load it. Only where the load time is known, and only for a
/// `warm` one that would come first if it were not for its load, because the wait is what that
/// stands for. `expected`: the wait for a slot there; one that has turned out wrong, because the
/// request has `waited` more than twice that long, counts no longer. Pure.
[[nodiscard]] bool waiting_beats_loading(const Standing& cold, const Standing& warm,
                                         std::optional<Clock::duration> expected,
                                         Clock::duration waited);

}  // namespace ollama_proxy::router
