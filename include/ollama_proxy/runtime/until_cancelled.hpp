#pragma once

#include "ollama_proxy/runtime/with_timeout.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace ollama_proxy::runtime {
namespace detail {

/// Runs `operation` with `signal` able to cancel it. What it threw, if anything; returns when it
/// has ended.
boost::asio::awaitable<std::exception_ptr> run_under(boost::asio::cancellation_signal& signal,
                                                     boost::asio::awaitable<void> operation);

}  // namespace detail

/// Runs `operation` until it ends or `signal` is emitted (total) on this executor: then it is
/// cancelled, and the result is empty once it has ended. Exceptions that have another cause are
/// not told apart: the result is empty for them too, and `failure` holds them. Cancelling
/// `until_cancelled` cancels the operation. Thread: the caller's executor.
template <class T>
boost::asio::awaitable<std::optional<T>> until_cancelled(boost::asio::cancellation_signal& signal,
                                                         boost::asio::awaitable<T> operation,
                                                         std::exception_ptr& failure) {
    std::optional<T> out;
    auto stored = detail::store_result(std::move(operation), out);
    failure = co_await detail::run_under(signal, std::move(stored));
    if (failure) out.reset();
    co_return out;
}

}  // namespace ollama_proxy::runtime
