#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <concepts>
#include <functional>
#include <list>
#include <string>

namespace ollama_proxy::runtime {

/// Owns every coroutine that is started on one executor: nothing runs detached.
/// Two-step stop: `cancel(total)` asks, and what is left after a grace gets `cancel(terminal)`.
/// A task that ends by an exception other than cancellation calls `on_failure` with its text.
/// Thread: all calls on the group's executor, which is one thread.
class TaskGroup {
  public:
    using FailureHandler = std::function<void(const std::string&)>;

    TaskGroup(boost::asio::any_io_executor executor, FailureHandler on_failure);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    /// Starts `task`; it takes its state by value. Refused (false) after `close()`.
    bool spawn(boost::asio::awaitable<void> task);
    /// The same for a task that has reasons of its own to be cancelled: `make` is given the signal
    /// that cancels it, which lives as long as the task.
    template <std::invocable<boost::asio::cancellation_signal&> Make>
    bool spawn(Make make) {
        if (closed_) return false;
        const auto entry = add();
        start(entry, make(entry->signal));
        return true;
    }

    /// From now on nothing is started.
    void close() { closed_ = true; }
    void cancel(boost::asio::cancellation_type type);

    [[nodiscard]] std::size_t size() const { return size_; }
    /// Completes when no task is left. Cancelling it leaves the group as it is.
    [[nodiscard]] boost::asio::awaitable<void> until_empty();
    /// The same, but not beyond `limit`. It looks every ten milliseconds: for winding down.
    [[nodiscard]] boost::asio::awaitable<void> until_empty(TimePoint limit);

  private:
    struct Entry {
        boost::asio::cancellation_signal signal;
    };
    using Entries = std::list<Entry>;
    Entries::iterator add();
    void start(Entries::iterator entry, boost::asio::awaitable<void> task);

    boost::asio::any_io_executor executor_;
    FailureHandler on_failure_;
    Entries entries_;
    std::size_t size_ = 0;
    boost::asio::steady_timer empty_;  ///< cancelled to wake `until_empty`
    bool closed_ = false;
};

}  // namespace ollama_proxy::runtime
