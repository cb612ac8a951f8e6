#pragma once

#include "ollama_proxy/runtime/disconnect_watch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>

#include <optional>

namespace ollama_proxy::runtime {
namespace detail {

/// A watch that is armed to cancel (total) by `own`, for the time of a scope.
class ArmedWatch {
  public:
    ArmedWatch(DisconnectWatch& watch, boost::asio::cancellation_signal& own);
    ~ArmedWatch() { watch_.disarm(); }
    ArmedWatch(const ArmedWatch&) = delete;
    ArmedWatch& operator=(const ArmedWatch&) = delete;

  private:
    DisconnectWatch& watch_;
};

}  // namespace detail

/// Runs `operation` until it ends or the watched peer leaves: then it is cancelled (total), and
/// the result is empty once it has ended. Exceptions of an operation whose peer stayed pass
/// through. `own` is the signal that cancels the calling coroutine (TaskGroup::spawn gives it):
/// with it nothing has to be started beside, which every request would pay for. The caller may go
/// on afterwards. Thread: the watched socket's worker.
template <class T>
boost::asio::awaitable<std::optional<T>> until_disconnect(DisconnectWatch& watch,
                                                          boost::asio::cancellation_signal& own,
                                                          boost::asio::awaitable<T> operation) {
    std::optional<T> out;
    {
        detail::ArmedWatch armed(watch, own);
        try {
            T value = co_await std::move(operation);
            out.emplace(std::move(value));
        } catch (...) {
            if (!watch.gone()) throw;
        }
    }
    if (!watch.gone()) co_return out;
    // the cancellation has done its work: what the caller still awaits must not end by it too
    co_await boost::asio::this_coro::reset_cancellation_state(
        boost::asio::enable_total_cancellation());
    co_return std::nullopt;
}

}  // namespace ollama_proxy::runtime
