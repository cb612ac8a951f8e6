#pragma once

#include "ollama_proxy/router/decision.hpp"

#include <span>
#include <vector>

namespace ollama_proxy::router {

// The filters of the decision, one question each. All pure.

/// Which of the mode's limits are left aside.
struct LiftedLimits {
    bool hardware = false;
    bool budget = false;
};

/// What excludes a backend whatever the mode says: found while gathering, X-Max-Power-Watts, a
/// strict latency limit, the cloud rule. `cloud_open`: a cloud backend may serve unasked.
[[nodiscard]] Refusal hard_refusal(const CandidateFacts& facts, const RoutingHints& hints,
                                   const DecisionSettings& settings, bool cloud_open);

/// Everything that speaks against a backend, not only what is decisive: what was found while
/// gathering is the caller's to add. For explanations.
void add_refusals(const CandidateFacts& facts, const RoutingHints& hints,
                  const efficiency::Policy& policy, bool cloud_open, LiftedLimits lifted,
                  std::vector<Refusal>& out);

/// No enabled backend of this machine lists the model: then a cloud backend may serve it.
[[nodiscard]] bool only_cloud_lists_model(std::span<const CandidateFacts> facts);

/// X-Max-Latency-Ms holds, is absent, or the latency is not known.
[[nodiscard]] bool meets_latency(const CandidateFacts& facts, const RoutingHints& hints);

/// The mode's limits. What is not known is neutral.
[[nodiscard]] Refusal mode_refusal(const CandidateFacts& facts, const efficiency::Policy& policy,
                                   LiftedLimits lifted);

/// The backend is out of reach (rather than unfit): an explicit target may be replaced.
[[nodiscard]] bool is_unavailable(Refusal refusal);

}  // namespace ollama_proxy::router
