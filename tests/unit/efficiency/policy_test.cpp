#include "ollama_proxy/efficiency/policy.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ollama_proxy::efficiency {
namespace {

using config::Hardware;
using config::Mode;

std::vector<Hardware> listed(const HardwareOrder& order) {
    return {order.rank.begin(), order.rank.begin() + static_cast<std::ptrdiff_t>(order.size)};
}

struct Row {
    Mode mode;
    double latency, power, load;
    std::vector<Hardware> order;
    std::optional<double> budget, fan;
    std::optional<int> concurrency;
};

TEST(Policy, HoldsTheDocumentedValuesOfEveryMode) {
    using enum Hardware;
    const std::vector<Row> rows{
        {Mode::performance, 3, 0, 1, {nvidia, igpu, npu, cpu}, {}, {}, {}},
        {Mode::balanced, 1.5, 1, 1.5, {igpu, npu, nvidia, cpu}, 20, {}, {}},
        {Mode::efficiency, 0.5, 2.5, 1, {npu, igpu}, 15, {}, {}},
        {Mode::quiet, 0.5, 2, 1, {npu, igpu}, 15, 40, {}},
        {Mode::ultra_efficiency, 0, 3, 1, {npu}, 10, {}, 2},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(config::to_string(row.mode));
        const Policy policy = policy_of(row.mode, {});
        EXPECT_EQ(policy.effective, row.mode);
        EXPECT_EQ(policy.weights.latency, row.latency);
        EXPECT_EQ(policy.weights.power, row.power);
        EXPECT_EQ(policy.weights.load, row.load);
        EXPECT_EQ(listed(policy.order), row.order);
        EXPECT_EQ(policy.budget_watts, row.budget);
        EXPECT_EQ(policy.fan_limit_percent, row.fan);
        EXPECT_EQ(policy.max_concurrency, row.concurrency);
        EXPECT_FALSE(policy.strict);
        EXPECT_EQ(policy.reason, "user");
    }
}

TEST(Policy, NeverAppliesAutoItself) {
    EXPECT_EQ(policy_of(Mode::automatic, {}).effective, Mode::balanced);
}

TEST(Policy, TakesTheConfigurationsChangesOfThatModeOnly) {
    config::Config config;
    config.efficiency.strict = true;
    config::ModeOverride& change = config.efficiency.modes[Mode::quiet];
    change.latency = 9;
    change.power_budget_watts = 25;
    change.hardware = std::vector{Hardware::igpu};
    change.fan_limit_percent = 55;
    change.max_concurrency = 3;

    const Policy quiet = policy_of(Mode::quiet, config);
    EXPECT_EQ(quiet.weights.latency, 9);
    EXPECT_EQ(quiet.weights.power, 2) << "what is not given keeps the built-in value";
    EXPECT_EQ(quiet.budget_watts, 25);
    EXPECT_EQ(listed(quiet.order), std::vector{Hardware::igpu});
    EXPECT_EQ(quiet.fan_limit_percent, 55);
    EXPECT_EQ(quiet.max_concurrency, 3);
    EXPECT_TRUE(quiet.strict);
    EXPECT_EQ(policy_of(Mode::efficiency, config).budget_watts, 15);
}

TEST(Policy, OverridesPowerAndLoadWeights) {
    config::Config config;
    config.efficiency.modes[Mode::performance].power = 0.5;
    config.efficiency.modes[Mode::performance].load = 0.25;
    const Policy policy = policy_of(Mode::performance, config);
    EXPECT_EQ(policy.weights.power, 0.5);
    EXPECT_EQ(policy.weights.load, 0.25);
}

TEST(HardwareOrder, GivesLessByPlaceAndNothingToTheUnlisted) {
    const HardwareOrder order = builtin_policy(Mode::performance).order;
    EXPECT_EQ(order.value_of(Hardware::nvidia), 1);
    EXPECT_EQ(order.value_of(Hardware::igpu), 0.75);
    EXPECT_EQ(order.value_of(Hardware::npu), 0.5);
    EXPECT_EQ(order.value_of(Hardware::cpu), 0.25);
    EXPECT_EQ(order.value_of(Hardware::cloud), 0);
    EXPECT_FALSE(builtin_policy(Mode::ultra_efficiency).order.contains(Hardware::igpu));
}

TEST(HardwareOrder, RanksAmdWithNvidia) {
    for (const Mode mode : {Mode::performance, Mode::balanced, Mode::efficiency}) {
        const HardwareOrder order = builtin_policy(mode).order;
        EXPECT_EQ(order.value_of(Hardware::amd), order.value_of(Hardware::nvidia));
    }
}

TEST(HardwareOrder, HoldsFiveKindsAndTheLastIsStillListed) {
    using enum Hardware;
    config::Config config;
    config.efficiency.modes[Mode::balanced].hardware = std::vector{cloud, npu, igpu, nvidia, cpu};
    const HardwareOrder order = policy_of(Mode::balanced, config).order;
    EXPECT_EQ(listed(order), (std::vector{cloud, npu, igpu, nvidia, cpu}));
    EXPECT_EQ(order.value_of(cloud), 1);
    EXPECT_EQ(order.value_of(cpu), 0);
    EXPECT_TRUE(order.contains(cpu));
    EXPECT_TRUE(order.contains_all_local());
    config.efficiency.modes[Mode::balanced].hardware = std::vector{cloud, npu, igpu, nvidia};
    EXPECT_FALSE(policy_of(Mode::balanced, config).order.contains_all_local());
}

TEST(HardwareOrder, KeepsEachKindOfAConfiguredListOnce) {
    using enum Hardware;
    config::Config config;
    config.efficiency.modes[Mode::balanced].hardware =
        std::vector{amd, nvidia, cpu, cpu, npu, igpu, cloud};
    const HardwareOrder order = policy_of(Mode::balanced, config).order;
    EXPECT_EQ(listed(order), (std::vector{nvidia, cpu, npu, igpu, cloud}));
    EXPECT_EQ(order.value_of(amd), 1);
}

}  // namespace
}  // namespace ollama_proxy::efficiency
