// One routing decision. Bounds: 2 us with 4 backends, 20 us with 100.
#include "ollama_proxy/router/decision.hpp"

#include <benchmark/benchmark.h>
#include <string>
#include <vector>

namespace {

using namespace ollama_proxy;
using config::Hardware;

/// All kinds of hardware in turn, each a little different, so that sorting has work to do.
std::vector<router::CandidateFacts> machine(std::size_t size, const std::vector<std::string>& ids) {
    constexpr Hardware kKinds[] = {Hardware::npu, Hardware::igpu, Hardware::nvidia, Hardware::cpu};
    constexpr double kWatts[] = {3, 12, 55, 28};
    constexpr double kLatency[] = {800, 400, 150, 2000};
    std::vector<router::CandidateFacts> facts(size);
    for (std::size_t i = 0; i < size; ++i) {
        facts[i].id = ids[i];
        facts[i].hardware = kKinds[i % 4];
        facts[i].watts = kWatts[i % 4];
        facts[i].latency_ms = kLatency[i % 4] + static_cast<double>((i * 37) % 101);
        facts[i].occupancy = static_cast<double>((i * 13) % 7) / 8;
        facts[i].thermal_headroom_c = static_cast<double>((i * 29) % 40);
        if (i % 4 == 0) facts[i].thermal_headroom_c.reset();
    }
    return facts;
}

void decide(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < size; ++i) ids.push_back("backend-" + std::to_string(i));
    const auto facts = machine(size, ids);
    // Performance excludes nobody: every backend is scored and sorted
    const auto policy = efficiency::builtin_policy(config::Mode::performance);
    const router::DecisionSettings settings;
    const router::RoutingHints hints;
    router::Decision decision;
    for (auto _ : state) {
        router::decide(hints, facts, std::nullopt, policy, settings, decision);
        benchmark::DoNotOptimize(decision.usable.data());
    }
}
BENCHMARK(decide)->Arg(4)->Arg(100);

}  // namespace

BENCHMARK_MAIN();
