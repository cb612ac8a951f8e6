#include "router/scorers.hpp"

#include "reference_machine.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ollama_proxy::router {
namespace {

using config::Hardware;
using config::Mode;

double value(Scorer scorer, const CandidateFacts& facts, Mode mode = Mode::balanced) {
    const HardwareValues hardware(efficiency::builtin_policy(mode).order);
    return score_values(facts, hardware)[static_cast<std::size_t>(scorer)];
}

CandidateFacts igpu() { return reference_machine()[kIgpu]; }

TEST(LatencyScorer, HalvesAt400Milliseconds) {
    auto facts = igpu();
    EXPECT_DOUBLE_EQ(value(Scorer::latency, facts), 0.5);
    facts.latency_ms = 1200;
    EXPECT_DOUBLE_EQ(value(Scorer::latency, facts), 0.25);
    for (const double unknown : {0.0, -5.0, std::nan("")}) {
        facts.latency_ms = unknown;
        EXPECT_TRUE(std::isnan(value(Scorer::latency, facts))) << unknown;
    }
}

TEST(PowerScorer, HalvesAt20Watts) {
    auto facts = igpu();
    facts.watts = 20;
    EXPECT_DOUBLE_EQ(value(Scorer::power, facts), 0.5);
    facts.watts = 0;
    EXPECT_DOUBLE_EQ(value(Scorer::power, facts), 1);
    facts.watts = std::nullopt;
    EXPECT_TRUE(std::isnan(value(Scorer::power, facts)));
}

TEST(LoadScorer, FallsWithTheSquareOfTheOccupancy) {
    auto facts = igpu();
    EXPECT_DOUBLE_EQ(value(Scorer::load, facts), 1);
    facts.occupancy = 0.5;
    EXPECT_DOUBLE_EQ(value(Scorer::load, facts), 0.75);
    facts.occupancy = 1;
    EXPECT_DOUBLE_EQ(value(Scorer::load, facts), 0);
    facts.occupancy = 7;
    EXPECT_DOUBLE_EQ(value(Scorer::load, facts), 0);
}

TEST(HardwareScorer, FollowsTheOrderAndDoesNotGuess) {
    auto facts = igpu();
    EXPECT_EQ(value(Scorer::hardware, facts, Mode::balanced), 1);
    EXPECT_EQ(value(Scorer::hardware, facts, Mode::performance), 0.75);
    EXPECT_EQ(value(Scorer::hardware, facts, Mode::ultra_efficiency), 0);
    facts.hardware = Hardware::amd;
    EXPECT_EQ(value(Scorer::hardware, facts, Mode::performance), 1);
    facts.hardware = Hardware::cloud;
    EXPECT_EQ(value(Scorer::hardware, facts), 0);
    facts.hardware = Hardware::unknown;
    EXPECT_TRUE(std::isnan(value(Scorer::hardware, facts)));
}

TEST(ThermalScorer, IsFullAbove15DegreesOfHeadroom) {
    auto facts = igpu();
    facts.thermal_headroom_c = 15;
    EXPECT_DOUBLE_EQ(value(Scorer::thermal, facts), 1);
    facts.thermal_headroom_c = 6;
    EXPECT_DOUBLE_EQ(value(Scorer::thermal, facts), 0.4);
    facts.thermal_headroom_c = -3;
    EXPECT_DOUBLE_EQ(value(Scorer::thermal, facts), 0);
    facts.thermal_headroom_c = std::nullopt;
    EXPECT_TRUE(std::isnan(value(Scorer::thermal, facts)));
    facts.throttled = true;
    EXPECT_DOUBLE_EQ(value(Scorer::thermal, facts), 0) << "throttling is known without a sensor";
    facts.thermal_headroom_c = 30;
    EXPECT_DOUBLE_EQ(value(Scorer::thermal, facts), 0);
}

TEST(WarmthScorer, PrefersLoadedThenPreferredThenCheapSwaps) {
    auto facts = igpu();
    EXPECT_EQ(value(Scorer::warmth, facts), 0);
    facts.preferred_model = true;
    EXPECT_EQ(value(Scorer::warmth, facts), 0.5);
    facts.swap_cost = 0.25;
    EXPECT_EQ(value(Scorer::warmth, facts), 0.25);
    facts.swap_cost = 1;
    EXPECT_EQ(value(Scorer::warmth, facts), 0);
    facts.warm = true;
    EXPECT_EQ(value(Scorer::warmth, facts), 1) << "nothing to swap when it is loaded";
}

TEST(AffinityAndErrorScorers, ReadTheirFacts) {
    auto facts = igpu();
    EXPECT_TRUE(std::isnan(value(Scorer::affinity, facts)));
    facts.affinity = 1;
    EXPECT_EQ(value(Scorer::affinity, facts), 1);
    facts.affinity = 0;
    EXPECT_EQ(value(Scorer::affinity, facts), 0);
    facts.error_share = 0.25;
    EXPECT_EQ(value(Scorer::error_rate, facts), 0.75);
}

struct Scored {
    std::vector<RankedCandidate> candidates;
    [[nodiscard]] double term(std::size_t i, Scorer scorer) const {
        return candidates[i].terms[static_cast<std::size_t>(scorer)];
    }
};

Scored score(const std::vector<CandidateFacts>& facts, std::optional<std::uint32_t> refused = {}) {
    Scored scored{std::vector<RankedCandidate>(facts.size())};
    for (std::uint32_t i = 0; i < facts.size(); ++i) scored.candidates[i].index = i;
    if (refused) scored.candidates[*refused].refusal = Refusal::unhealthy;
    const HardwareValues hardware(efficiency::builtin_policy(Mode::balanced).order);
    score_all(scored.candidates, facts, hardware, {1, 1, 1, 1, 6, 1, 1, 1});
    return scored;
}

TEST(UnknownInput, GetsTheMeanOfThoseThatKnow) {
    auto facts = reference_machine();
    facts[kNpu].thermal_headroom_c = std::nullopt;
    facts[kIgpu].thermal_headroom_c = 0;
    const Scored scored = score(facts);  // two of the other three are cool, one is at its limit
    EXPECT_DOUBLE_EQ(scored.term(kNpu, Scorer::thermal), 6 * 2.0 / 3);
    EXPECT_DOUBLE_EQ(scored.term(kCpu, Scorer::thermal), 6);
}

TEST(UnknownInput, IgnoresWhatRefusedBackendsKnow) {
    auto facts = reference_machine();
    facts[kNpu].thermal_headroom_c = std::nullopt;
    facts[kIgpu].thermal_headroom_c = 0;
    const Scored scored = score(facts, kIgpu);
    EXPECT_DOUBLE_EQ(scored.term(kNpu, Scorer::thermal), 6);
    EXPECT_DOUBLE_EQ(scored.term(kIgpu, Scorer::thermal), 0) << "its own term is still shown";
}

TEST(UnknownInput, CountsFullWhenNobodyKnows) {
    auto facts = reference_machine();
    for (auto& one : facts) one.watts = std::nullopt;
    const Scored scored = score(facts);
    for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(scored.term(i, Scorer::power), 1);
}

TEST(Total, SumsTheTermsAndCanLeaveOneOut) {
    RankedCandidate candidate;
    candidate.terms = {1, 2, 3, 4, 5, 6, 7, 8};
    EXPECT_DOUBLE_EQ(total(candidate), 36);
    EXPECT_DOUBLE_EQ(total(candidate, Scorer::load), 33);
    RankedCandidate other = candidate;
    other.terms[0] += 1e-12;
    EXPECT_EQ(total(other), total(candidate)) << "rounding noise must not break a tie";
}

}  // namespace
}  // namespace ollama_proxy::router
