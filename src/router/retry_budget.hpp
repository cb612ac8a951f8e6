#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

namespace ollama_proxy::router {

/// Bounds second tries to a share of what is in flight, so that a fault does not double the load
/// that caused it. Thread: any.
class RetryBudget {
  public:
    /// One second try; given back when it dies.
    class Lease {
      public:
        Lease() = default;
        explicit Lease(RetryBudget* budget) : budget_(budget) {}
        Lease(Lease&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(budget_, other.budget_);
            return *this;
        }
        ~Lease() {
            if (budget_) budget_->active_.fetch_sub(1, std::memory_order_relaxed);
        }
        [[nodiscard]] bool granted() const { return budget_ != nullptr; }

      private:
        RetryBudget* budget_ = nullptr;
    };

    [[nodiscard]] Lease acquire(std::size_t in_flight, unsigned percent, unsigned minimum) {
        const std::size_t limit = std::max<std::size_t>(minimum, in_flight * percent / 100);
        std::size_t active = active_.load(std::memory_order_relaxed);
        while (active < limit) {
            if (active_.compare_exchange_weak(active, active + 1, std::memory_order_relaxed)) {
                return Lease(this);
            }
        }
        return {};
    }

  private:
    std::atomic<std::size_t> active_{0};
};

}  // namespace ollama_proxy::router
