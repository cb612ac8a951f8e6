#include "router/refusal_text.hpp"
#include "router/router_impl.hpp"
#include "router/target.hpp"

namespace ollama_proxy::router {
namespace {

ExplainedCandidate explained(const Generation& generation, const RankedCandidate& candidate,
                             const RoutingHints& hints, std::span<const CandidateFacts> facts) {
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
    return out;
}

}  // namespace

Result<Explanation> Router::explain(const InferenceRequest& request) const {
    const auto generation = impl_->generation.load();
    const Wanted wanted = wanted_of(*generation->config, request.api, request.scan.model);
    const auto target = target_index(*generation, request.hints.target);
    if (!target) return target.error();
    Impl::Ranking ranking;
    impl_->rank(*generation, wanted, request.hints, *target, ranking);
    const Decision& decision = ranking.decision;
    const config::Mode mode = impl_->policy.load()->effective;

    Explanation out;
    out.model = wanted.model;
    out.route = codec::path_of(request.api);
    out.reason = reason_text(decision.reason, mode);
    out.mode = to_string(mode);
    out.waits_for_target = decision.wait_for_target;
    out.weights = decision.weights;
    for (const auto* list : {&decision.usable, &decision.refused}) {
        for (const RankedCandidate& candidate : *list) {
            out.candidates.push_back(
                explained(*generation, candidate, request.hints, ranking.facts));
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
