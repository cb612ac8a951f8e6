// One routing decision, alone and with all that it takes to know the backends. Bounds: 2 us with 4
// backends, 20 us with 100; no allocation.
#include "ollama_proxy/router/decision.hpp"
#include "router/router_impl.hpp"

#include <atomic>
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

namespace {
std::atomic<std::size_t> allocations{0};
}

void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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

config::Config configuration(std::size_t size) {
    config::Config config;
    for (std::size_t i = 0; i < size; ++i) {
        config::Backend backend;
        backend.id = "backend-" + std::to_string(i);
        backend.endpoint.text = "http://127.0.0.1:" + std::to_string(20000 + i);
        backend.endpoint.host = "127.0.0.1";
        backend.hardware = static_cast<Hardware>(i % 4);
        backend.characteristics = config::default_characteristics(backend.hardware);
        backend.max_concurrency = 4;
        backend.max_in_flight = 16;
        config.backends.push_back(std::move(backend));
    }
    return config;
}

/// Occupancy, facts and decision, as every request needs them once.
void rank(benchmark::State& state) {
    boost::asio::io_context control;
    const auto config =
        std::make_shared<config::Config>(configuration(static_cast<std::size_t>(state.range(0))));
    router::Learning learning(control, *config);
    const auto generation = router::make_generation(config, learning);
    for (const auto& backend : generation->backends->backends) {
        auto catalog = std::make_shared<upstream::Catalog>();
        catalog->known = true;
        for (const char* name : {"llama3:8b", "qwen2.5:0.5b", "mistral:7b", "m:latest"}) {
            catalog->models.push_back({name, name, 4'000'000'000, 0, {}, {}});
        }
        catalog->loaded.push_back({"m:latest", "m:latest", {}, 4'000'000'000});
        backend->set_catalog(std::move(catalog));
        router::Observation seen;
        seen.warm_ms = 200;
        seen.failed = false;
        generation->notes[&backend - generation->backends->backends.data()]->learned->add(
            "m:latest", seen, Clock::now());
    }
    router::Admission admission;
    const auto wanted = router::wanted_of(*config, codec::Api::chat_completions, "m");
    const auto policy = efficiency::builtin_policy(config::Mode::performance);
    const router::RoutingHints hints;
    router::Router::Impl::Ranking ranking;
    std::size_t before = 0;
    for (auto _ : state) {
        admission.occupancy(generation->backends->backends, ranking.occupancy);
        const router::Surroundings surroundings{nullptr, ranking.occupancy, {}};
        router::gather_facts(*generation, wanted, surroundings, Clock::now(), ranking.facts);
        router::decide(hints, ranking.facts, std::nullopt, policy, generation->settings,
                       ranking.decision);
        benchmark::DoNotOptimize(ranking.decision.usable.data());
        if (before == 0) before = allocations.load();  // what is reused has its size now
    }
    state.counters["allocations"] =
        static_cast<double>(allocations.load() - before) / static_cast<double>(state.iterations());
    learning.stop();
}
BENCHMARK(rank)->Arg(4)->Arg(100);

/// A conversation of so many turns as the client sends it.
std::string conversation(std::int64_t turns) {
    const std::string said(250, 'x');
    std::string body = R"({"model":"m","stream":true,"messages":[)";
    for (std::int64_t i = 0; i < turns; ++i) {
        if (i > 0) body += R"({"role":"assistant","content":")" + said + R"("},)";
        body += R"({"role":"user","content":")" + said + R"("})";
        if (i + 1 < turns) body += ',';
    }
    return body + "]}";
}

void scan(benchmark::State& state) {
    const std::string body = conversation(state.range(0));
    for (auto _ : state) {
        benchmark::DoNotOptimize(codec::scan_request(codec::Api::chat_completions, body));
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(scan)->Arg(1)->Arg(20);

/// What affinity costs a request: its keys, who served it last, noting who does now.
void affinity(benchmark::State& state) {
    const std::string body = conversation(state.range(0));
    const auto scan = codec::scan_request(codec::Api::chat_completions, body);
    router::AffinityTable table;
    const TimePoint now = Clock::now();
    for (auto _ : state) {
        const auto keys = router::affinity_keys("m:latest", {}, body, scan->conversation);
        benchmark::DoNotOptimize(table.last(keys, now));
        table.note(keys, 7, now);
    }
}
BENCHMARK(affinity)->Arg(1)->Arg(20);

}  // namespace

BENCHMARK_MAIN();
