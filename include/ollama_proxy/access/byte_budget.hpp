#pragma once

#include "ollama_proxy/common/error.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace ollama_proxy::access {

// Shares of the budget, in per cent, that stay free for others: best-effort work is shed first.
inline constexpr unsigned kSpareBestEffort = 15;
inline constexpr unsigned kSpare = 5;

/// What a client hears for whose body there is no room.
[[nodiscard]] inline Error over_budget() {
    Error error = make_error(Errc::overloaded,
                             "too many request bodies are held at the moment; try again later");
    error.retry_after_s = 1;
    return error;
}

/// Bytes of request bodies that are held in memory, over all connections. Thread: any.
class ByteBudget {
  public:
    explicit ByteBudget(std::size_t limit) : limit_(limit) {}

    /// From now on; with less than is held, nothing more fits until enough was given back.
    void configure(std::size_t limit) { limit_.store(limit, std::memory_order_relaxed); }

    /// A part of the budget; given back when it dies.
    class Lease {
      public:
        Lease() = default;
        Lease(Lease&& other) noexcept
            : budget_(std::exchange(other.budget_, nullptr)),
              size_(std::exchange(other.size_, 0)) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(budget_, other.budget_);
            std::swap(size_, other.size_);
            return *this;
        }
        ~Lease() {
            if (budget_) budget_->used_.fetch_sub(size_, std::memory_order_relaxed);
        }

      private:
        friend class ByteBudget;
        ByteBudget* budget_ = nullptr;
        std::size_t size_ = 0;
    };

    /// Whether that much more would fit now: what is announced can be refused before it is sent.
    [[nodiscard]] bool has_room(std::uint64_t bytes, unsigned spare_percent) const {
        const std::size_t used = used_.load(std::memory_order_relaxed);
        const std::size_t allowed = allowance(spare_percent);
        return used <= allowed && bytes <= allowed - used;
    }

    /// Adds `bytes` to a lease. False, and nothing added, when less than `spare_percent` of the
    /// budget would stay free.
    [[nodiscard]] bool extend(Lease& lease, std::size_t bytes, unsigned spare_percent) {
        const std::size_t allowed = allowance(spare_percent);
        const std::size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
        if (before + bytes > allowed) {
            used_.fetch_sub(bytes, std::memory_order_relaxed);
            return false;
        }
        lease.budget_ = this;
        lease.size_ += bytes;
        return true;
    }

  private:
    [[nodiscard]] std::size_t allowance(unsigned spare_percent) const {
        const std::size_t limit = limit_.load(std::memory_order_relaxed);
        return limit - limit / 100 * spare_percent;
    }

    std::atomic<std::size_t> limit_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace ollama_proxy::access
