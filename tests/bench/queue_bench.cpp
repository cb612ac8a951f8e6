// The priority queue with many waiting. Bound: 1 us for a push and for a pop at 10,000 waiters.
#include "router/admission_core.hpp"

#include <benchmark/benchmark.h>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace ollama_proxy;
using namespace ollama_proxy::router;

const TimePoint kNow = TimePoint{} + std::chrono::hours(1);

/// A queue of `size` waiters: four levels, 64 clients, `places` backends each, two models.
class Crowd {
  public:
    Crowd(std::size_t size, std::size_t places) : places_(places) {
        queue_.configure({2 * size, Milliseconds(5000)});
        for (std::size_t i = 0; i < places; ++i) names_.push_back("backend-" + std::to_string(i));
        while (queue_.size() < size) push();
    }
    ~Crowd() {
        queue_.for_each([&](Waiter& one) { queue_.remove(one); });
    }
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;

    void make() {
        const auto arrival = kNow + std::chrono::microseconds(ticket_);
        const auto level = static_cast<Priority>(random_() % kPriorities);
        fresh_ = std::make_unique<Waiter>(level, "client-" + std::to_string(random_() % 64),
                                          arrival, ++ticket_);
        fresh_places_.clear();
        const char* model = random_() % 2 == 0 ? "llama3.2:latest" : "qwen2.5-coder:7b-instruct";
        for (std::size_t i = 0; i < places_; ++i) {
            fresh_places_.push_back({names_[i], model, {4, 16}});
        }
    }
    void add() {
        benchmark::DoNotOptimize(queue_.push(*fresh_, fresh_places_));
        waiters_.push_back(std::move(fresh_));
    }
    void push() {
        make();
        add();
    }
    /// What a slot that came free does: who is next, and out of the queue with it.
    Waiter* pop() {
        const auto anyone = [](const Place&, Priority, bool) { return true; };
        Waiter* next = queue_.next(names_[0], kNow + std::chrono::seconds(1), anyone).waiter;
        queue_.remove(*next);
        return next;
    }

  private:
    std::size_t places_;
    std::vector<std::string> names_;
    PriorityQueue queue_;
    std::deque<std::unique_ptr<Waiter>> waiters_;
    std::unique_ptr<Waiter> fresh_;
    std::vector<Place> fresh_places_;
    std::mt19937 random_{1};
    std::uint64_t ticket_ = 0;
};

void push(benchmark::State& state) {
    Crowd crowd(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    for (auto _ : state) {
        crowd.make();
        const auto begin = std::chrono::steady_clock::now();
        crowd.add();
        const auto end = std::chrono::steady_clock::now();
        state.SetIterationTime(std::chrono::duration<double>(end - begin).count());
        crowd.pop();
    }
}
BENCHMARK(push)->Args({10000, 1})->Args({10000, 4})->UseManualTime()->Iterations(100000);

void pop(benchmark::State& state) {
    Crowd crowd(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    for (auto _ : state) {
        const auto begin = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(crowd.pop());
        const auto end = std::chrono::steady_clock::now();
        state.SetIterationTime(std::chrono::duration<double>(end - begin).count());
        crowd.push();
    }
}
BENCHMARK(pop)->Args({10000, 1})->Args({10000, 4})->UseManualTime()->Iterations(100000);

/// A request that finds a free slot, and gives it back.
void free_slot(benchmark::State& state) {
    AdmissionCore core;
    AdmissionCore::Bells bells;
    const Place place{"backend-0", "llama3.2:latest", {4, 16}};
    for (auto _ : state) {
        auto slot = core.try_take(place, Priority::normal, kNow, bells);
        core.release(*slot, Milliseconds(1), kNow, bells);
    }
}
BENCHMARK(free_slot);

}  // namespace

BENCHMARK_MAIN();
