#include "ollama_proxy/router/decision.hpp"

#include "router/filters.hpp"
#include "router/hints_profile.hpp"
#include "router/scorers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace ollama_proxy::router {

namespace {

using config::Hardware;
using config::Mode;

/// Everything one decision looks at, so that its steps need not pass it around.
struct Question {
    const RoutingHints& hints;
    std::span<const CandidateFacts> facts;
    const efficiency::Policy& policy;
    const DecisionSettings& settings;
    RequestProfile profile;
};

enum class RankBy : std::uint8_t {
    score,
    watts,    ///< relaxed mode: the least power-hungry first
    latency,  ///< relaxed latency: the fastest first
};

struct Selection {
    RankBy by = RankBy::score;
    Reason reason = Reason::none;  ///< none: no limit was relaxed
};

bool usable(const RankedCandidate& candidate) { return candidate.refusal == Refusal::none; }

/// Refuses with `reason_for` every candidate still usable, unless that would leave nobody.
/// False when it would; then nothing has changed.
template <class ReasonFor>
bool refuse_unless_all(std::vector<RankedCandidate>& candidates, const ReasonFor& reason_for) {
    const bool somebody = std::ranges::any_of(candidates, [&](const RankedCandidate& one) {
        return usable(one) && reason_for(one) == Refusal::none;
    });
    if (!somebody) return false;
    for (auto& one : candidates) {
        if (usable(one)) one.refusal = reason_for(one);
    }
    return true;
}

/// The limits that give way when nobody is within them: mode and latency.
Selection apply_soft_limits(const Question& question, std::vector<RankedCandidate>& candidates) {
    LiftedLimits lifted{question.profile.lifts_mode_limits, question.profile.lifts_mode_limits};
    const auto by_mode = [&](const RankedCandidate& one) {
        return mode_refusal(question.facts[one.index], question.policy, lifted);
    };
    const auto by_latency = [&](const RankedCandidate& one) {
        const bool met = meets_latency(question.facts[one.index], question.hints);
        return met ? Refusal::none : Refusal::over_latency;
    };
    if (question.policy.strict) {
        for (auto& one : candidates) {
            if (usable(one)) one.refusal = by_mode(one);
        }
    }
    if (std::ranges::none_of(candidates, usable)) return {};
    if (!refuse_unless_all(candidates, by_latency)) {
        return {RankBy::latency, Reason::latency_relaxed};
    }
    if (question.policy.strict || refuse_unless_all(candidates, by_mode)) return {};
    if (question.policy.effective == Mode::balanced) {
        lifted.budget = true;
        if (refuse_unless_all(candidates, by_mode)) return {};
        return {RankBy::score, Reason::mode_relaxed};
    }
    return {RankBy::watts, Reason::mode_relaxed};
}

double or_last(double value) {
    return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
}

/// What `by` compares before the score; the smaller is the better.
double sort_key(const CandidateFacts& facts, RankBy by) {
    switch (by) {
        case RankBy::watts:
            return facts.watts ? or_last(*facts.watts) : or_last(kUnknown);
        case RankBy::latency:
            return or_last(facts.latency_ms);
        case RankBy::score:
            break;
    }
    return 0;
}

/// True when `a` is the better one: not cloud, `by`, score, less loaded, priority, config order.
bool better(std::span<const CandidateFacts> all, RankBy by, const RankedCandidate& a,
            const RankedCandidate& b) {
    const CandidateFacts& left = all[a.index];
    const CandidateFacts& right = all[b.index];
    const bool left_cloud = left.hardware == Hardware::cloud;
    if (left_cloud != (right.hardware == Hardware::cloud)) return !left_cloud;
    if (by != RankBy::score) {
        const double left_key = sort_key(left, by);
        const double right_key = sort_key(right, by);
        if (left_key != right_key) return left_key < right_key;
    }
    if (a.score != b.score) return a.score > b.score;
    if (left.occupancy < right.occupancy) return true;
    if (right.occupancy < left.occupancy) return false;
    if (left.priority != right.priority) return left.priority > right.priority;
    return a.index < b.index;
}

/// Whether another backend would come first if `scorer` said the same of everybody.
bool decides(Scorer scorer, std::span<const CandidateFacts> all,
             const std::vector<RankedCandidate>& ranked) {
    const auto key = [&](const RankedCandidate& one) {
        const CandidateFacts& facts = all[one.index];
        // load is also the first tie-break, and must not speak there either
        const double load =
            scorer == Scorer::load || std::isnan(facts.occupancy) ? 0 : facts.occupancy;
        return std::tuple(facts.hardware == Hardware::cloud, -total(one, scorer), load,
                          -static_cast<long>(facts.priority), one.index);
    };
    auto best = key(ranked.front());
    for (const auto& one : ranked) best = std::min(best, key(one));
    return std::get<4>(best) != ranked.front().index;
}

Reason reason_of_scores(const Question& question, const std::vector<RankedCandidate>& ranked) {
    if (ranked.size() == 1) return question.profile.reason;  // nobody else could come first
    if (decides(Scorer::thermal, question.facts, ranked)) return Reason::thermal;
    if (decides(Scorer::load, question.facts, ranked)) return Reason::queue_depth;
    return question.profile.reason;
}

/// Moves what is refused to `out.refused`, both in configuration order.
void part(Decision& out) {
    for (const auto& one : out.usable) {
        if (!usable(one)) out.refused.push_back(one);
    }
    std::erase_if(out.usable, [](const RankedCandidate& one) { return !usable(one); });
}

}  // namespace

ClassProfile class_profile(const efficiency::Policy& policy) {
    return {policy.weights, policy.order};
}

DecisionSettings decision_settings(const config::Config& config) {
    const config::Router& router = config.router;
    const config::Weights& weights = router.weights;
    DecisionSettings settings;
    settings.strict_latency = router.strict_latency;
    settings.power_aware = router.power_aware;
    settings.target_fallback = router.target_fallback;
    settings.weights = {weights.latency, weights.power,  weights.load,     weights.hardware,
                        weights.thermal, weights.warmth, weights.affinity, weights.error_rate};
    settings.performance = class_profile(efficiency::policy_of(Mode::performance, config));
    settings.efficiency = class_profile(efficiency::policy_of(Mode::efficiency, config));
    return settings;
}

void decide(const RoutingHints& hints, std::span<const CandidateFacts> facts,
            std::optional<std::uint32_t> target_index, const efficiency::Policy& policy,
            const DecisionSettings& settings, Decision& out) {
    const Question question{hints, facts, policy, settings, profile_of(hints, policy, settings)};
    out.usable.clear();
    out.refused.clear();
    out.usable.reserve(facts.size());
    out.refused.reserve(facts.size());
    out.weights = question.profile.weights;
    out.reason = Reason::none;
    out.wait_for_target = false;

    const bool cloud_open = only_cloud_lists_model(facts);
    for (std::uint32_t i = 0; i < facts.size(); ++i) {
        RankedCandidate& one = out.usable.emplace_back();
        one.index = i;
        one.refusal = hard_refusal(facts[i], hints, settings, cloud_open || target_index == i);
    }

    const bool named = target_index && *target_index < facts.size();
    const Refusal target = named ? out.usable[*target_index].refusal : Refusal::none;
    const bool targeted = named && target == Refusal::none;
    const bool fallback = settings.target_fallback && is_unavailable(target);
    const bool alone = named && !(targeted ? settings.target_fallback : fallback);
    if (alone) {
        for (auto& one : out.usable) {
            if (usable(one) && one.index != *target_index) one.refusal = Refusal::not_target;
        }
    }

    const Selection selection = apply_soft_limits(question, out.usable);
    if (targeted) out.usable[*target_index].refusal = Refusal::none;  // over mode and latency
    score_all(out.usable, facts, HardwareValues(question.profile.order), out.weights);
    part(out);
    if (out.usable.empty()) return;
    std::ranges::sort(out.usable, [&](const RankedCandidate& a, const RankedCandidate& b) {
        return better(facts, selection.by, a, b);
    });

    if (targeted) {
        const auto at = std::ranges::find(out.usable, *target_index, &RankedCandidate::index);
        std::rotate(out.usable.begin(), at, at + 1);
        out.wait_for_target = true;
        out.reason = Reason::explicit_target;
    } else if (named) {
        out.reason = Reason::target_unavailable;
    } else if (selection.reason != Reason::none) {
        out.reason = selection.reason;
    } else {
        out.reason = reason_of_scores(question, out.usable);
    }
}

}  // namespace ollama_proxy::router
