// The table "Must come out" of the routing contract, row by row, on the reference machine.
#include "reference_machine.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

using config::Mode;

struct Row {
    std::string name;
    Mode mode;
    std::string backend;  ///< "!id" = anybody but that one
    std::string reason;
    RoutingHints hints{};
    void (*change)(std::vector<CandidateFacts>&) = nullptr;
    std::optional<std::uint32_t> target{};
};

void five_on_igpu(std::vector<CandidateFacts>& facts) {
    facts[kIgpu].occupancy = 5 * 2 / 2.0 / 4;  // five normal requests on four slots
}
void hot_gpu(std::vector<CandidateFacts>& facts) {
    facts[kNvidia].throttled = true;
    facts[kNvidia].thermal_headroom_c = 85 - 88;
}
void only_nvidia_has_it(std::vector<CandidateFacts>& facts) {
    for (auto& one : facts) one.refusal = Refusal::model_pattern;
    facts[kNvidia].refusal = Refusal::none;
}
void only_nvidia_and_cpu(std::vector<CandidateFacts>& facts) {
    facts.erase(facts.begin(), facts.begin() + 2);
}

std::vector<Row> rows() {
    const auto hints = [](auto set) {
        RoutingHints made;
        set(made);
        return made;
    };
    const auto urgent = hints([](auto& h) { h.latency_critical = true; });
    std::vector<Row> table{
        {"plain", Mode::balanced, "ollama-igpu", "balanced"},
        {"latency_critical", Mode::balanced, "ollama-nvidia", "latency-critical", urgent},
        {"power_efficient", Mode::balanced, "ollama-npu", "power-efficient",
         hints([](auto& h) { h.power_efficient = true; })},
        {"critical_realtime", Mode::balanced, "ollama-nvidia", "critical-priority",
         hints([](auto& h) {
             h.priority = Priority::critical;
             h.media_type = MediaType::realtime;
         })},
        {"max_15_watts", Mode::balanced, "ollama-igpu", "balanced",
         hints([](auto& h) { h.max_power_watts = 15; })},
        {"max_500_ms_power_efficient", Mode::balanced, "ollama-igpu", "power-efficient",
         hints([](auto& h) {
             h.max_latency_ms = 500;
             h.power_efficient = true;
         })},
        {"max_50_ms", Mode::balanced, "ollama-nvidia", "latency-relaxed",
         hints([](auto& h) { h.max_latency_ms = 50; })},
        {"best_effort", Mode::balanced, "ollama-npu", "best-effort",
         hints([](auto& h) { h.priority = Priority::best_effort; })},
        {"busy_igpu", Mode::balanced, "!ollama-igpu", "queue-depth", {}, five_on_igpu},
        {"plain_performance", Mode::performance, "ollama-nvidia", "performance"},
        {"plain_efficiency", Mode::efficiency, "ollama-npu", "efficiency"},
        {"plain_quiet", Mode::quiet, "ollama-npu", "quiet"},
        {"plain_ultra", Mode::ultra_efficiency, "ollama-npu", "ultraefficiency"},
        {"latency_critical_quiet", Mode::quiet, "ollama-igpu", "latency-critical", urgent},
        {"hot_gpu", Mode::performance, "!ollama-nvidia", "thermal", {}, hot_gpu},
        {"llama3_70b", Mode::efficiency, "ollama-nvidia", "mode-relaxed", {}, only_nvidia_has_it},
        {"two_backends", Mode::balanced, "ollama-nvidia", "balanced", {}, only_nvidia_and_cpu},
    };
    for (const Mode mode : {Mode::performance, Mode::balanced, Mode::efficiency, Mode::quiet,
                            Mode::ultra_efficiency}) {
        const std::string suffix(config::to_string(mode));
        table.push_back(
            {"target_" + suffix, mode, "ollama-cpu", "explicit-target", {}, nullptr, kCpu});
        table.push_back({"max_1_watt_" + suffix, mode, "nobody", "none",
                         hints([](auto& h) { h.max_power_watts = 1; })});
    }
    return table;
}

class MustComeOut : public testing::TestWithParam<Row> {};

TEST_P(MustComeOut, WithBackendAndReason) {
    const Row& row = GetParam();
    auto facts = reference_machine();
    if (row.change != nullptr) row.change(facts);
    const Decision decision = decide_for(row.hints, facts, row.mode, {}, row.target);
    if (row.backend.starts_with('!')) {
        EXPECT_NE(chosen(decision, facts), row.backend.substr(1));
        EXPECT_NE(chosen(decision, facts), "nobody");
    } else {
        EXPECT_EQ(chosen(decision, facts), row.backend);
    }
    EXPECT_EQ(reason_text(decision.reason, row.mode), row.reason);
    EXPECT_EQ(decision.wait_for_target, row.target.has_value());
}

INSTANTIATE_TEST_SUITE_P(Table, MustComeOut, testing::ValuesIn(rows()),
                         [](const auto& row) { return row.param.name; });

TEST(MustComeOutToo, Max15WattsLeavesTheNpuAsAlternative) {
    RoutingHints hints;
    hints.max_power_watts = 15;
    const auto facts = reference_machine();
    const Decision decision = decide_for(hints, facts);
    EXPECT_EQ(ranking(decision, facts), "ollama-igpu,ollama-npu");
    EXPECT_EQ(refusal_of(decision, kNvidia), Refusal::over_watts);
    EXPECT_EQ(refusal_of(decision, kCpu), Refusal::over_watts);
}

TEST(MustComeOutToo, Max1WattNamesAllFour) {
    RoutingHints hints;
    hints.max_power_watts = 1;
    const Decision decision = decide_for(hints, reference_machine());
    ASSERT_EQ(decision.refused.size(), 4u);
    for (std::uint32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(decision.refused[i].index, i) << "in configuration order";
        EXPECT_EQ(decision.refused[i].refusal, Refusal::over_watts);
    }
}

TEST(MustComeOutToo, ABusyIgpuIsStillAnAlternative) {
    auto facts = reference_machine();
    five_on_igpu(facts);
    const Decision decision = decide_for({}, facts);
    EXPECT_EQ(ranking(decision, facts), "ollama-npu,ollama-igpu");
}

}  // namespace
}  // namespace ollama_proxy::router
