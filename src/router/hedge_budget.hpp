#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace ollama_proxy::router {

/// Bounds second copies to a share of all requests: each request earns its percent, a copy costs
/// a hundred. A little is saved up for a bad moment. Thread: any.
class HedgeBudget {
  public:
    /// So many copies are saved up at most.
    static constexpr std::int64_t kSaved = 10;

    void note_request(unsigned percent) {
        if (earned_.load(std::memory_order_relaxed) >= kSaved * kCost) return;
        earned_.fetch_add(percent, std::memory_order_relaxed);
    }
    [[nodiscard]] bool take() {
        std::int64_t earned = earned_.load(std::memory_order_relaxed);
        while (earned >= kCost) {
            if (earned_.compare_exchange_weak(earned, earned - kCost, std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }
    /// A copy that was paid for was not sent.
    void give_back() { earned_.fetch_add(kCost, std::memory_order_relaxed); }

  private:
    static constexpr std::int64_t kCost = 100;
    std::atomic<std::int64_t> earned_{0};
};

}  // namespace ollama_proxy::router
