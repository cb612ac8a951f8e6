#include "ollama_proxy/router/decision.hpp"

#include "reference_machine.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ollama_proxy::router {
namespace {

using config::Hardware;
using config::Mode;

RoutingHints with_latency(int ms) {
    RoutingHints hints;
    hints.max_latency_ms = ms;
    return hints;
}

std::vector<CandidateFacts> with_cloud() {
    auto facts = reference_machine();
    facts.push_back(backend("cloud", Hardware::cloud, 0, 1, 99));
    facts.back().watts = std::nullopt;
    return facts;
}
constexpr std::uint32_t kCloud = 4;

efficiency::Policy strict(Mode mode) {
    auto policy = efficiency::builtin_policy(mode);
    policy.strict = true;
    return policy;
}

TEST(Target, KeepsTheOthersAsAlternativesBehindIt) {
    const auto facts = reference_machine();
    const Decision decision = decide_for({}, facts, Mode::balanced, {}, kCpu);
    EXPECT_EQ(ranking(decision, facts), "ollama-cpu,ollama-igpu,ollama-npu");
    EXPECT_TRUE(decision.wait_for_target);
}

TEST(Target, IsAloneWithoutFallback) {
    const auto facts = reference_machine();
    DecisionSettings settings;
    settings.target_fallback = false;
    const Decision decision = decide_for({}, facts, Mode::balanced, settings, kCpu);
    EXPECT_EQ(ranking(decision, facts), "ollama-cpu");
    EXPECT_EQ(refusal_of(decision, kIgpu), Refusal::not_target);
}

TEST(Target, OverridesModeThrottlingLoadAndSoftLatency) {
    auto facts = reference_machine();
    facts[kCpu].throttled = true;
    facts[kCpu].occupancy = 3;
    const Decision decision =
        decide_for(with_latency(100), facts, strict(Mode::ultra_efficiency), {}, kCpu);
    EXPECT_EQ(chosen(decision, facts), "ollama-cpu");
    EXPECT_EQ(decision.reason, Reason::explicit_target);
}

TEST(Target, ThatCannotBeReachedFallsBackAndSaysSo) {
    for (const Refusal refusal : {Refusal::disabled, Refusal::unhealthy, Refusal::breaker_open,
                                  Refusal::parked, Refusal::already_tried}) {
        auto facts = reference_machine();
        facts[kCpu].refusal = refusal;
        const Decision decision = decide_for({}, facts, Mode::balanced, {}, kCpu);
        EXPECT_EQ(chosen(decision, facts), "ollama-igpu") << to_string(refusal);
        EXPECT_EQ(decision.reason, Reason::target_unavailable);
        EXPECT_FALSE(decision.wait_for_target);
        EXPECT_EQ(refusal_of(decision, kCpu), refusal);

        DecisionSettings settings;
        settings.target_fallback = false;
        const Decision alone = decide_for({}, facts, Mode::balanced, settings, kCpu);
        EXPECT_TRUE(alone.usable.empty()) << to_string(refusal);
        EXPECT_EQ(alone.reason, Reason::none);
    }
}

TEST(Target, ThatMustNotServeIsNotReplaced) {
    for (const Refusal refusal : {Refusal::model_missing, Refusal::model_pattern,
                                  Refusal::model_size, Refusal::api_missing}) {
        auto facts = reference_machine();
        facts[kCpu].refusal = refusal;
        const Decision decision = decide_for({}, facts, Mode::balanced, {}, kCpu);
        EXPECT_TRUE(decision.usable.empty()) << to_string(refusal);
        EXPECT_EQ(decision.reason, Reason::none);
        EXPECT_EQ(refusal_of(decision, kCpu), refusal);
        EXPECT_EQ(refusal_of(decision, kIgpu), Refusal::not_target);
    }
}

TEST(Target, ObeysHardLimits) {
    RoutingHints hints;
    hints.max_power_watts = 15;
    const auto facts = reference_machine();
    const Decision watts = decide_for(hints, facts, Mode::balanced, {}, kCpu);
    EXPECT_TRUE(watts.usable.empty());
    EXPECT_EQ(refusal_of(watts, kCpu), Refusal::over_watts);

    DecisionSettings settings;
    settings.strict_latency = true;
    const Decision latency = decide_for(with_latency(500), facts, Mode::balanced, settings, kCpu);
    EXPECT_TRUE(latency.usable.empty());
    EXPECT_EQ(refusal_of(latency, kCpu), Refusal::over_latency);
}

TEST(Cloud, ServesOnlyWhenAsked) {
    auto facts = with_cloud();
    EXPECT_EQ(refusal_of(decide_for({}, facts), kCloud), Refusal::cloud_not_asked);
    EXPECT_EQ(chosen(decide_for({}, facts, Mode::quiet, {}, kCloud), facts), "cloud");
    for (auto& one : facts) one.refusal = Refusal::model_missing;
    facts[kCloud].refusal = Refusal::none;
    EXPECT_EQ(chosen(decide_for({}, facts), facts), "cloud");
}

TEST(Cloud, StaysClosedWhileTheBackendWithTheModelIsDown) {
    auto facts = with_cloud();
    for (auto& one : facts) one.refusal = Refusal::model_missing;
    facts[kCloud].refusal = Refusal::none;
    facts[kNvidia].refusal = Refusal::unhealthy;
    EXPECT_TRUE(decide_for({}, facts).usable.empty());
}

TEST(Cloud, RanksLastEvenWhenItScoresBest) {
    auto facts = with_cloud();
    facts[kCloud].target_by_alias = true;
    RoutingHints hints;
    hints.latency_critical = true;
    const Decision decision = decide_for(hints, facts, Mode::performance);
    EXPECT_EQ(decision.usable.size(), 5u);
    EXPECT_EQ(decision.usable.back().index, kCloud);
    EXPECT_EQ(chosen(decide_for(with_latency(1), facts, Mode::performance), facts), "cloud")
        << "alone within the limit";
}

TEST(StrictLatency, RefusesInsteadOfRelaxing) {
    DecisionSettings settings;
    settings.strict_latency = true;
    const Decision decision =
        decide_for(with_latency(50), reference_machine(), Mode::balanced, settings);
    EXPECT_TRUE(decision.usable.empty());
    for (std::uint32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(refusal_of(decision, i), Refusal::over_latency);
    }
}

TEST(LatencyLimit, RelaxedRanksByLatencyAlone) {
    const auto facts = reference_machine();
    EXPECT_EQ(ranking(decide_for(with_latency(50), facts), facts),
              "ollama-nvidia,ollama-igpu,ollama-npu,ollama-cpu");
}

TEST(LatencyLimit, IsStrongerThanTheModesBudget) {
    const auto facts = reference_machine();
    const Decision decision = decide_for(with_latency(200), facts);
    EXPECT_EQ(ranking(decision, facts), "ollama-nvidia");
    EXPECT_EQ(decision.reason, Reason::mode_name) << "it was met, nothing was relaxed";
}

TEST(LatencyLimit, DoesNotBreakAStrictMode) {
    const auto facts = reference_machine();
    const Decision decision = decide_for(with_latency(200), facts, strict(Mode::efficiency));
    EXPECT_EQ(chosen(decision, facts), "ollama-igpu") << "the fastest that the mode allows";
    EXPECT_EQ(decision.reason, Reason::latency_relaxed);
    EXPECT_EQ(refusal_of(decision, kNvidia), Refusal::mode_hardware);
}

TEST(LatencyLimit, IsMetByAnUnknownLatency) {
    auto facts = reference_machine();
    facts[kNpu].latency_ms = 0;
    const Decision decision = decide_for(with_latency(50), facts);
    EXPECT_EQ(ranking(decision, facts), "ollama-npu");
    EXPECT_EQ(decision.reason, Reason::mode_name);
}

TEST(ModeLimits, RelaxToTheLeastPowerHungry) {
    auto facts = reference_machine();
    facts[kNpu].refusal = Refusal::unhealthy;
    facts[kIgpu].refusal = Refusal::unhealthy;
    const Decision decision = decide_for({}, facts, Mode::efficiency);
    EXPECT_EQ(ranking(decision, facts), "ollama-cpu,ollama-nvidia");
    EXPECT_EQ(decision.reason, Reason::mode_relaxed);
    EXPECT_EQ(refusal_of(decision, kNpu), Refusal::unhealthy);
}

TEST(ModeLimits, RelaxedPutAnUnknownPowerLast) {
    auto facts = reference_machine();
    facts[kNpu].refusal = Refusal::unhealthy;
    facts[kIgpu].refusal = Refusal::unhealthy;
    for (const std::optional<double> unknown : {std::optional<double>{}, {std::nan("")}}) {
        auto one = facts;
        one[kCpu].watts = unknown;
        EXPECT_EQ(ranking(decide_for({}, one, Mode::efficiency), one), "ollama-nvidia,ollama-cpu");
        one = facts;
        one[kNvidia].watts = unknown;
        EXPECT_EQ(ranking(decide_for({}, one, Mode::efficiency), one), "ollama-cpu,ollama-nvidia");
    }
}

TEST(ModeLimits, AreHardWhenStrict) {
    auto facts = reference_machine();
    facts[kNpu].refusal = Refusal::unhealthy;
    const Decision decision = decide_for({}, facts, strict(Mode::ultra_efficiency));
    EXPECT_TRUE(decision.usable.empty());
    EXPECT_EQ(decision.reason, Reason::none);
    EXPECT_EQ(refusal_of(decision, kIgpu), Refusal::mode_hardware);
    EXPECT_TRUE(
        decide_for({}, {facts[kNvidia], facts[kCpu]}, strict(Mode::balanced)).usable.empty());
}

TEST(ModeLimits, OfBalancedGiveUpTheBudgetBeforeAConfiguredList) {
    auto policy = efficiency::builtin_policy(Mode::balanced);
    policy.order.rank = {Hardware::cpu};
    policy.order.size = 1;
    auto facts = reference_machine();
    const Decision decision = decide_for({}, facts, policy);
    EXPECT_EQ(ranking(decision, facts), "ollama-cpu");
    EXPECT_EQ(decision.reason, Reason::mode_name);
    EXPECT_EQ(refusal_of(decision, kNvidia), Refusal::mode_hardware);

    facts[kCpu].refusal = Refusal::unhealthy;
    const Decision relaxed = decide_for({}, facts, policy);
    EXPECT_EQ(chosen(relaxed, facts), "ollama-igpu") << "by score";
    EXPECT_EQ(relaxed.reason, Reason::mode_relaxed);
}

TEST(ModeLimits, KeepTheFanOfABackendDownInQuiet) {
    auto facts = reference_machine();
    facts[kNpu].fan_percent = 80;
    const Decision decision = decide_for({}, facts, Mode::quiet);
    EXPECT_EQ(chosen(decision, facts), "ollama-igpu");
    EXPECT_EQ(refusal_of(decision, kNpu), Refusal::mode_fan);
}

TEST(ModeLimits, AreLiftedForUrgentRequestsButNotInUltraEfficiency) {
    RoutingHints urgent;
    urgent.priority = Priority::critical;
    const auto facts = reference_machine();
    EXPECT_EQ(chosen(decide_for(urgent, facts, Mode::efficiency), facts), "ollama-nvidia");
    EXPECT_EQ(ranking(decide_for(urgent, facts, Mode::ultra_efficiency), facts), "ollama-npu");
    EXPECT_EQ(ranking(decide_for(urgent, facts, Mode::quiet), facts), "ollama-igpu,ollama-npu");
    EXPECT_EQ(chosen(decide_for(urgent, facts, strict(Mode::efficiency)), facts), "ollama-nvidia")
        << "lifting is the class's right, not a relaxation";
}

struct ClassRow {
    const char* name;
    RoutingHints hints;
    std::string_view backend;
    Reason reason;
};

TEST(RequestClass, BringsItsWeightsAndOrder) {
    const auto hints = [](auto set) {
        RoutingHints made;
        set(made);
        return made;
    };
    const std::vector<ClassRow> rows{
        {"realtime", hints([](auto& h) { h.media_type = MediaType::realtime; }), "ollama-nvidia",
         Reason::latency_critical},
        {"critical", hints([](auto& h) { h.priority = Priority::critical; }), "ollama-nvidia",
         Reason::critical_priority},
        {"batch", hints([](auto& h) { h.media_type = MediaType::batch; }), "ollama-npu",
         Reason::best_effort},
        {"both", hints([](auto& h) {
             h.latency_critical = true;
             h.power_efficient = true;
         }),
         "ollama-nvidia", Reason::latency_critical},
        {"frugal batch", hints([](auto& h) {
             h.power_efficient = true;
             h.priority = Priority::best_effort;
         }),
         "ollama-npu", Reason::power_efficient},
        {"high", hints([](auto& h) { h.priority = Priority::high; }), "ollama-igpu",
         Reason::mode_name},
        {"text", hints([](auto& h) { h.media_type = MediaType::text; }), "ollama-igpu",
         Reason::mode_name},
    };
    const auto facts = reference_machine();
    for (const auto& row : rows) {
        const Decision decision = decide_for(row.hints, facts);
        EXPECT_EQ(chosen(decision, facts), row.backend) << row.name;
        EXPECT_EQ(decision.reason, row.reason) << row.name;
    }
}

TEST(RequestClass, CodePrefersTheLargestThatTheModeAllows) {
    RoutingHints code;
    code.media_type = MediaType::code;
    const auto facts = reference_machine();
    EXPECT_EQ(chosen(decide_for(code, facts, Mode::performance), facts), "ollama-nvidia");
    EXPECT_EQ(chosen(decide_for(code, facts, Mode::balanced), facts), "ollama-igpu");
    EXPECT_EQ(chosen(decide_for(code, facts, Mode::efficiency), facts), "ollama-igpu");
    EXPECT_EQ(chosen(decide_for(code, facts, Mode::ultra_efficiency), facts), "ollama-npu");
}

TEST(Settings, ReplaceWeightsOverModeAndClass) {
    config::Config config;
    config.router.weights.hardware = 0.0;
    config.router.weights.latency = 0.0;
    config.router.weights.power = 0.0;
    config.router.weights.load = 7;
    config.router.weights.thermal = 1;
    config.router.weights.warmth = 10;
    config.router.weights.affinity = 3;
    config.router.weights.error_rate = 4;
    auto facts = reference_machine();
    facts[kNpu].warm = true;
    RoutingHints urgent;
    urgent.latency_critical = true;
    const Decision decision = decide_for(urgent, facts, Mode::balanced, decision_settings(config));
    EXPECT_EQ(decision.weights, (Weights{0, 0, 7, 0, 1, 10, 3, 4}));
    EXPECT_EQ(chosen(decision, facts), "ollama-npu");
}

TEST(Settings, WithoutPowerAwarenessPowerHasNoWeight) {
    config::Config config;
    config.router.power_aware = false;
    config.router.weights.power = 5;
    const auto facts = reference_machine();
    const Decision decision = decide_for({}, facts, Mode::efficiency, decision_settings(config));
    EXPECT_EQ(decision.weights[static_cast<std::size_t>(Scorer::power)], 0);
}

TEST(Settings, CarryTheConfiguredModesIntoTheClasses) {
    config::Config config;
    config.router.strict_latency = true;
    config.router.target_fallback = false;
    config.efficiency.modes[Mode::performance].latency = 0.125;
    config.efficiency.modes[Mode::efficiency].hardware = std::vector{Hardware::cpu};
    const DecisionSettings settings = decision_settings(config);
    EXPECT_TRUE(settings.strict_latency);
    EXPECT_FALSE(settings.target_fallback);
    EXPECT_TRUE(settings.power_aware);
    EXPECT_EQ(settings.performance.weights.latency, 0.125);
    EXPECT_EQ(settings.efficiency.order.value_of(Hardware::cpu), 1);
    EXPECT_EQ(settings.weights[0], std::nullopt);
}

TEST(Reasons, SayThermalBeforeQueueDepth) {
    auto facts = reference_machine();
    facts[kNvidia].throttled = true;  // without heat ollama-nvidia would win
    facts[kIgpu].occupancy = 1;       // without load ollama-igpu would
    const Decision decision = decide_for({}, facts, Mode::performance);
    EXPECT_EQ(chosen(decision, facts), "ollama-npu");
    EXPECT_EQ(decision.reason, Reason::thermal);
    facts[kNvidia].throttled = false;
    facts[kNvidia].refusal = Refusal::unhealthy;
    EXPECT_EQ(decide_for({}, facts, Mode::performance).reason, Reason::queue_depth);
}

TEST(Reasons, DoNotBlameHeatThatChangesNothing) {
    auto facts = reference_machine();
    facts[kNpu].throttled = true;
    const Decision decision = decide_for({}, facts);
    EXPECT_EQ(chosen(decision, facts), "ollama-igpu");
    EXPECT_EQ(decision.reason, Reason::mode_name);
}

TEST(Reasons, PreferHeatToTheRequestClass) {
    auto facts = reference_machine();
    facts[kNvidia].throttled = true;
    RoutingHints urgent;
    urgent.latency_critical = true;
    EXPECT_EQ(decide_for(urgent, facts).reason, Reason::thermal);
}

std::vector<CandidateFacts> twins() {
    return {backend("a", Hardware::igpu, 12, 400, 1), backend("b", Hardware::igpu, 12, 400, 1),
            backend("c", Hardware::igpu, 12, 400, 1)};
}

TEST(Ties, GoToConfigOrderLast) {
    const auto facts = twins();
    EXPECT_EQ(ranking(decide_for({}, facts), facts), "a,b,c");
}

TEST(Ties, GoToTheHigherPriority) {
    auto facts = twins();
    facts[2].priority = 2;
    EXPECT_EQ(ranking(decide_for({}, facts), facts), "c,a,b");
}

TEST(Ties, GoToTheLessLoadedFirst) {
    auto facts = twins();
    for (auto& one : facts) one.occupancy = 2;  // the load score is 0 from 1 on
    facts[1].occupancy = 1.5;
    facts[2].priority = 9;
    const Decision decision = decide_for({}, facts);
    EXPECT_EQ(ranking(decision, facts), "b,c,a");
    EXPECT_EQ(decision.reason, Reason::queue_depth);
}

TEST(Errors, CostABackendItsPlace) {
    auto facts = reference_machine();
    facts[kIgpu].error_share = 0.5;
    EXPECT_EQ(chosen(decide_for({}, facts), facts), "ollama-npu");
}

TEST(Affinity, TipsTheBalanceBetweenEquals) {
    auto facts = twins();
    for (auto& one : facts) one.affinity = 0;
    facts[1].affinity = 1;
    EXPECT_EQ(ranking(decide_for({}, facts), facts), "b,a,c");
}

TEST(Scores, DoNotDependOnWhoElseIsThere) {
    const auto all = reference_machine();
    const Decision four = decide_for({}, all, Mode::performance);
    for (const auto& one : four.usable) {
        const Decision alone = decide_for({}, {all[one.index]}, Mode::performance);
        EXPECT_EQ(alone.usable.front().score, one.score);
    }
}

TEST(Scores, AreShownForRefusedBackendsToo) {
    auto facts = reference_machine();
    facts[kNvidia].refusal = Refusal::unhealthy;
    const Decision decision = decide_for({}, facts, Mode::performance);
    ASSERT_EQ(decision.refused.size(), 1u);
    EXPECT_NEAR(decision.refused[0].terms[0], 3 * 400.0 / 550, 1e-12);
    EXPECT_GT(decision.refused[0].score, decision.usable.front().score);
}

TEST(Decide, SurvivesFactsThatAreNotNumbers) {
    auto facts = reference_machine();
    for (auto& one : facts) {
        one.latency_ms = std::nan("");
        one.watts = std::nan("");
        one.occupancy = std::nan("");
        one.thermal_headroom_c = std::nan("");
        one.affinity = std::nan("");
        one.error_share = std::nan("");
    }
    const Decision decision = decide_for({}, facts, Mode::performance);
    EXPECT_EQ(ranking(decision, facts), "ollama-nvidia,ollama-igpu,ollama-npu,ollama-cpu");
    EXPECT_TRUE(std::isfinite(decision.usable.front().score));
}

TEST(Decide, HasNobodyWithoutBackends) {
    const Decision decision = decide_for({}, {});
    EXPECT_TRUE(decision.usable.empty());
    EXPECT_EQ(decision.reason, Reason::none);
}

TEST(Decide, ReusesItsMemoryAndForgetsTheLastAnswer) {
    const auto facts = reference_machine();
    const auto policy = efficiency::builtin_policy(Mode::performance);
    Decision decision;
    decide({}, facts, kCpu, policy, {}, decision);
    const auto* usable = decision.usable.data();
    const auto* refused = decision.refused.data();
    decide({}, facts, std::nullopt, policy, {}, decision);
    EXPECT_EQ(decision.usable.data(), usable);
    EXPECT_EQ(decision.refused.data(), refused);
    EXPECT_EQ(decision.usable.size(), 4u);
    EXPECT_FALSE(decision.wait_for_target);
    EXPECT_EQ(decision.reason, Reason::mode_name);
}

TEST(ReasonText, IsTheDocumentedWord) {
    EXPECT_EQ(reason_text(Reason::target_unavailable, Mode::quiet), "target-unavailable");
    EXPECT_EQ(reason_text(Reason::mode_name, Mode::ultra_efficiency), "ultraefficiency");
    EXPECT_EQ(to_string(Scorer::error_rate), "error_rate");
}

}  // namespace
}  // namespace ollama_proxy::router
