#include "router/filters.hpp"
#include "router/hints_profile.hpp"
#include "router/refusal_text.hpp"
#include "router/router_impl.hpp"
#include "router/target.hpp"

namespace ollama_proxy::router {
namespace {

/// What the filters say of every backend, on top of what was found while gathering the facts.
void add_what_filters_say(const RoutingHints& hints, const efficiency::Policy& policy,
                          const DecisionSettings& settings, std::optional<std::uint32_t> target,
                          std::span<const CandidateFacts> facts,
                          std::vector<std::vector<Refusal>>& out) {
    const bool lifts = profile_of(hints, policy, settings).lifts_mode_limits;
    const bool cloud_open = only_cloud_lists_model(facts);
    for (std::size_t i = 0; i < facts.size(); ++i) {
        add_refusals(facts[i], hints, policy, cloud_open || target == i, {lifts, lifts}, out[i]);
    }
}

ExplainedCandidate explained(const Generation& generation, const RankedCandidate& candidate,
                             const RoutingHints& hints, std::span<const CandidateFacts> facts,
                             std::span<const Refusal> all) {
    const CandidateFacts& known = facts[candidate.index];
    ExplainedCandidate out;
    out.backend = known.id;
    out.refusal = candidate.refusal;
    out.why = refusal_text(generation, candidate, hints, facts);
    out.score = candidate.score;
    out.terms = candidate.terms;
    out.estimated_latency_ms = known.latency_ms;
    out.estimated_watts = known.watts;
    out.occupancy = known.occupancy;
    out.model_loaded = known.warm;
    if (candidate.refusal == Refusal::none) return out;  // what was relaxed is in the reason
    out.refusals.push_back({out.refusal, out.why});
    for (const Refusal one : all) {
        if (one == candidate.refusal) continue;
        RankedCandidate other = candidate;
        other.refusal = one;
        out.refusals.push_back({one, refusal_text(generation, other, hints, facts)});
    }
    return out;
}

}  // namespace

Result<Explanation> Router::explain(const InferenceRequest& request) const {
    const auto generation = impl_->generation.load();
    Wanted wanted = wanted_of(*generation->config, request.api, request.scan.model);
    const auto target = target_index(*generation, request.hints.target);
    if (!target) return target.error();
    wanted.last_served =
        impl_->affinity.last(affinity_of(*generation, wanted, request), Clock::now());
    Impl::Ranking ranking;
    std::vector<std::vector<Refusal>> refusals;
    impl_->rank(*generation, wanted, request.hints, *target, Clock::now(), ranking, &refusals);
    const config::Mode mode = ranking.policy->effective;
    add_what_filters_say(request.hints, *ranking.policy, generation->settings, *target,
                         ranking.facts, refusals);
    const Decision& decision = ranking.decision;

    Explanation out;
    out.model = wanted.model;
    out.route = codec::path_of(request.api);
    out.reason = reason_text(decision.reason, mode);
    out.mode = to_string(mode);
    out.waits_for_target = decision.wait_for_target;
    out.waits_for_mode = !decision.wait_for_target && impl_->admission.is_at_limit();
    out.weights = decision.weights;
    for (const auto* list : {&decision.usable, &decision.refused}) {
        for (const RankedCandidate& candidate : *list) {
            out.candidates.push_back(explained(*generation, candidate, request.hints, ranking.facts,
                                               refusals[candidate.index]));
        }
    }
    if (decision.usable.empty()) {
        out.error =
            nobody_error(*generation, wanted, request.hints, decision, ranking.facts, Clock::now());
    } else {
        out.backend = out.candidates.front().backend;
    }
    return out;
}

}  // namespace ollama_proxy::router
