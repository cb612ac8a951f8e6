#include "router/filters.hpp"

#include "reference_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ollama_proxy::router {
namespace {

using config::Hardware;
using config::Mode;

TEST(HardFilter, KeepsTheRefusalFoundWhileGathering) {
    auto facts = reference_machine()[kNvidia];
    facts.refusal = Refusal::breaker_open;
    RoutingHints hints;
    hints.max_power_watts = 1;
    EXPECT_EQ(hard_refusal(facts, hints, {}, false), Refusal::breaker_open);
}

TEST(HardFilter, DoesNotTrustAnUnknownPowerWithALimit) {
    auto facts = reference_machine()[kNpu];
    RoutingHints hints;
    hints.max_power_watts = 3;
    EXPECT_EQ(hard_refusal(facts, hints, {}, false), Refusal::none) << "the limit itself is within";
    facts.watts = std::nullopt;
    EXPECT_EQ(hard_refusal(facts, hints, {}, false), Refusal::over_watts);
    EXPECT_EQ(hard_refusal(facts, {}, {}, false), Refusal::none);
    facts.hardware = Hardware::cloud;
    EXPECT_EQ(hard_refusal(facts, hints, {}, true), Refusal::none) << "draws nothing here";
}

TEST(HardFilter, CountsLatencyOnlyWhenStrict) {
    const auto facts = reference_machine()[kIgpu];
    RoutingHints hints;
    hints.max_latency_ms = 399;
    EXPECT_EQ(hard_refusal(facts, hints, {}, false), Refusal::none);
    DecisionSettings strict;
    strict.strict_latency = true;
    EXPECT_EQ(hard_refusal(facts, hints, strict, false), Refusal::over_latency);
    hints.max_latency_ms = 400;
    EXPECT_EQ(hard_refusal(facts, hints, strict, false), Refusal::none);
}

TEST(CloudRule, OpensOnlyWhenNoLocalBackendMayListTheModel) {
    auto facts = reference_machine();
    EXPECT_FALSE(only_cloud_lists_model(facts));
    for (auto& one : facts) one.refusal = Refusal::model_missing;
    EXPECT_TRUE(only_cloud_lists_model(facts));
    facts[kCpu].refusal = Refusal::unhealthy;
    EXPECT_FALSE(only_cloud_lists_model(facts)) << "down, but the model is there";
    facts[kCpu].lists_model = false;
    EXPECT_TRUE(only_cloud_lists_model(facts));
    facts[kIgpu].refusal = Refusal::disabled;
    EXPECT_TRUE(only_cloud_lists_model(facts));
}

TEST(ModeFilter, NamesTheFirstLimitThatIsBroken) {
    const auto machine = reference_machine();
    const auto efficiency = efficiency::builtin_policy(Mode::efficiency);
    EXPECT_EQ(mode_refusal(machine[kNvidia], efficiency, {}), Refusal::mode_hardware);
    EXPECT_EQ(mode_refusal(machine[kNvidia], efficiency, {.hardware = true}), Refusal::mode_budget);
    EXPECT_EQ(mode_refusal(machine[kNvidia], efficiency, {true, true}), Refusal::none);
    EXPECT_EQ(mode_refusal(machine[kIgpu], efficiency, {}), Refusal::none);
    auto hungry_igpu = machine[kIgpu];
    hungry_igpu.watts = 15;
    EXPECT_EQ(mode_refusal(hungry_igpu, efficiency, {}), Refusal::none) << "the budget is within";
    hungry_igpu.watts = 15.1;
    EXPECT_EQ(mode_refusal(hungry_igpu, efficiency, {}), Refusal::mode_budget);
}

TEST(ModeFilter, LimitsTheFanInQuiet) {
    auto facts = reference_machine()[kIgpu];
    const auto quiet = efficiency::builtin_policy(Mode::quiet);
    EXPECT_EQ(mode_refusal(facts, quiet, {}), Refusal::none) << "an unknown fan is neutral";
    facts.fan_percent = 40;
    EXPECT_EQ(mode_refusal(facts, quiet, {}), Refusal::none);
    facts.fan_percent = 41;
    EXPECT_EQ(mode_refusal(facts, quiet, {}), Refusal::mode_fan);
    EXPECT_EQ(mode_refusal(facts, efficiency::builtin_policy(Mode::efficiency), {}), Refusal::none);
}

TEST(ModeFilter, TakesUnknownHardwareWhereTheModeExcludesNone) {
    CandidateFacts facts;
    EXPECT_EQ(mode_refusal(facts, efficiency::builtin_policy(Mode::performance), {}),
              Refusal::none);
    EXPECT_EQ(mode_refusal(facts, efficiency::builtin_policy(Mode::balanced), {}), Refusal::none);
    EXPECT_EQ(mode_refusal(facts, efficiency::builtin_policy(Mode::ultra_efficiency), {}),
              Refusal::mode_hardware);
}

TEST(Refusals, HaveAWordEach) {
    std::vector<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(Refusal::not_target); ++i) {
        const std::string_view word = to_string(static_cast<Refusal>(i));
        EXPECT_FALSE(word.empty());
        EXPECT_EQ(std::ranges::find(words, word), words.end()) << word;
        words.push_back(word);
    }
}

TEST(Refusals, AreAllToldWhereAnExplanationIsWanted) {
    auto facts = reference_machine()[kNvidia];
    facts.fan_percent = 90;
    RoutingHints hints;
    hints.max_power_watts = 10;
    hints.max_latency_ms = 100;
    const auto quiet = efficiency::builtin_policy(Mode::quiet);
    std::vector<Refusal> all;
    add_refusals(facts, hints, quiet, false, {}, all);
    EXPECT_EQ(all, (std::vector{Refusal::over_watts, Refusal::over_latency, Refusal::mode_hardware,
                                Refusal::mode_budget, Refusal::mode_fan}));
    all.clear();
    add_refusals(facts, {}, quiet, false, {true, true}, all);
    EXPECT_EQ(all, std::vector{Refusal::mode_fan}) << "what is lifted does not speak against it";
    facts.hardware = Hardware::cloud;
    all.clear();
    add_refusals(facts, {}, efficiency::builtin_policy(Mode::performance), false, {}, all);
    EXPECT_EQ(all, std::vector{Refusal::cloud_not_asked});
}

}  // namespace
}  // namespace ollama_proxy::router
