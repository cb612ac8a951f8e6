#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

namespace ollama_proxy::router {

/// Holds requests back while the machine is about to sleep, or sleeps. Thread: any.
class SleepGate {
  public:
    void close() { closed_.store(true); }
    void open();
    [[nodiscard]] bool is_closed() const { return closed_.load(std::memory_order_relaxed); }

    /// Returns once it is open; queue_timeout when `limit` passed before. Cancelling (total) ends
    /// the wait.
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> pass(TimePoint limit);

  private:
    struct Waiter;
    struct Entry;

    boost::asio::awaitable<void> wait(TimePoint limit);

    std::atomic<bool> closed_{false};
    std::mutex mutex_;
    std::list<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace ollama_proxy::router
