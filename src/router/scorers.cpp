#include "router/scorers.hpp"

#include <cmath>

namespace ollama_proxy::router {

namespace {

using config::Hardware;

constexpr double kLatencyScaleMs = 400;
constexpr double kPowerScaleWatts = 20;
constexpr double kFullHeadroomC = 15;

/// Also turns "not a number" into 0.
double clamp01(double value) { return value > 0 ? (value < 1 ? value : 1) : 0; }

double known(double value) { return std::isnan(value) ? kUnknown : clamp01(value); }

double power_value(const std::optional<double>& watts) {
    return watts && *watts >= 0 ? kPowerScaleWatts / (kPowerScaleWatts + *watts) : kUnknown;
}

double load_value(double occupancy) {
    const double full = clamp01(occupancy);
    return 1 - full * full;
}

double thermal_value(const CandidateFacts& facts) {
    if (facts.throttled) return 0;
    return facts.thermal_headroom_c ? known(*facts.thermal_headroom_c / kFullHeadroomC) : kUnknown;
}

double warmth_value(const CandidateFacts& facts) {
    if (facts.warm) return 1;
    return clamp01((facts.preferred_model ? 0.5 : 0) - clamp01(facts.swap_cost));
}

}  // namespace

double latency_value(double ms) {
    return ms > 0 ? kLatencyScaleMs / (kLatencyScaleMs + ms) : kUnknown;
}

HardwareValues::HardwareValues(const efficiency::HardwareOrder& order) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
        values_[i] = order.value_of(static_cast<Hardware>(i));
    }
    values_.back() = kUnknown;  // Hardware::unknown
}

ScorerValues score_values(const CandidateFacts& facts, const HardwareValues& hardware) {
    return {
        latency_value(facts.latency_ms),
        power_value(facts.watts),
        load_value(facts.occupancy),
        hardware.of(facts.hardware),
        thermal_value(facts),
        warmth_value(facts),
        facts.affinity ? known(*facts.affinity) : kUnknown,
        1 - clamp01(facts.error_share),
    };
}

void score_all(std::span<RankedCandidate> candidates, std::span<const CandidateFacts> facts,
               const HardwareValues& hardware, const Weights& weights) {
    std::array<double, kScorers> sum{};
    std::array<double, kScorers> count{};
    for (auto& candidate : candidates) {
        candidate.terms = score_values(facts[candidate.index], hardware);
        if (candidate.refusal != Refusal::none) continue;
        for (std::size_t i = 0; i < kScorers; ++i) {
            const bool is_known = !std::isnan(candidate.terms[i]);
            sum[i] += is_known ? candidate.terms[i] : 0;
            count[i] += is_known ? 1 : 0;
        }
    }
    for (auto& candidate : candidates) {
        for (std::size_t i = 0; i < kScorers; ++i) {
            double& term = candidate.terms[i];
            if (std::isnan(term)) term = count[i] > 0 ? sum[i] / count[i] : 1;
            term *= weights[i];
        }
        candidate.score = total(candidate);
    }
}

double total(const RankedCandidate& candidate, std::optional<Scorer> without) {
    constexpr double kGrain = 1e9;
    double sum = 0;
    for (std::size_t i = 0; i < kScorers; ++i) {
        if (without && static_cast<std::size_t>(*without) == i) continue;
        sum += candidate.terms[i];
    }
    return std::floor(sum * kGrain + 0.5) / kGrain;
}

}  // namespace ollama_proxy::router
