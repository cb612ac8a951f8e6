#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::http {

/// Wakes coroutines of one worker that wait for something to change. Whoever waits looks first and
/// again afterwards; on one thread nothing can come between the look and the wait.
class Wake {
  public:
    explicit Wake(const boost::asio::any_io_executor& executor)
        : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

    void notify() { timer_.cancel(); }
    /// Returns after the next `notify()`, or when the waiting coroutine is cancelled.
    [[nodiscard]] boost::asio::awaitable<void> wait() {
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }

  private:
    boost::asio::steady_timer timer_;
};

}  // namespace ollama_proxy::http
