#pragma once

#include "ollama_proxy/runtime/disconnect_watch.hpp"
#include "ollama_proxy/runtime/with_timeout.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <exception>

namespace ollama_proxy::runtime {
namespace detail {

/// Runs `operation` with the watch armed to cancel it (total). Returns when it has ended.
boost::asio::awaitable<void> run_watched(DisconnectWatch& watch,
                                         boost::asio::awaitable<void> operation);

}  // namespace detail

/// Runs `operation` until it ends or the watched peer leaves: then it is cancelled (total), and
/// the result is empty once it has ended. Exceptions of an operation whose peer stayed pass
/// through. Cancelling `until_disconnect` cancels the operation. Thread: the watched socket's
/// worker.
template <class T>
boost::asio::awaitable<std::optional<T>> until_disconnect(DisconnectWatch& watch,
                                                          boost::asio::awaitable<T> operation) {
    std::optional<T> out;
    auto stored = detail::store_result(std::move(operation), out);
    co_await detail::run_watched(watch, std::move(stored));
    if (watch.gone()) out.reset();
    co_return out;
}

}  // namespace ollama_proxy::runtime
