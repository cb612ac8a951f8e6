#pragma once

#include "router/facts.hpp"

#include <string>

namespace ollama_proxy::router {

/// Why a candidate was refused, as a clause for people: "3 W against X-Max-Power-Watts 1 W".
/// Empty when it was not.
[[nodiscard]] std::string refusal_text(const Generation& generation,
                                       const RankedCandidate& candidate, const RoutingHints& hints,
                                       std::span<const CandidateFacts> facts);

}  // namespace ollama_proxy::router
