#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace ollama_proxy::runtime {
namespace detail {

template <class T>
boost::asio::awaitable<void> store_result(boost::asio::awaitable<T> operation,
                                          std::optional<T>& out) {
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    out.emplace(co_await std::move(operation));
}

/// True when `limit` passed first. Both sides have ended when it returns.
boost::asio::awaitable<bool> race_with_timer(boost::asio::awaitable<void> operation,
                                             Clock::duration limit);

}  // namespace detail

/// Runs `operation` for at most `limit`. Empty when the time ran out: the operation was cancelled
/// (total) and has ended, a value that it gave in the same moment is dropped. An exception of the
/// operation passes through. Cancelling `with_timeout` cancels the operation. For operations off
/// the hot path: it sets a kernel timer. Thread: the caller's executor.
template <class T>
boost::asio::awaitable<std::optional<T>> with_timeout(boost::asio::awaitable<T> operation,
                                                      Clock::duration limit) {
    std::optional<T> out;
    auto stored = detail::store_result(std::move(operation), out);
    const bool late = co_await detail::race_with_timer(std::move(stored), limit);
    if (late) out.reset();
    co_return out;
}

}  // namespace ollama_proxy::runtime
