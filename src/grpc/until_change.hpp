#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::grpc_api {

/// How long a change of state may go unnoticed.
inline constexpr Milliseconds kLookAgain{500};

/// Between two looks at the state for somebody who watches it: states are snapshots that nobody
/// announces, and nothing looks while nobody watches. Cancelling it throws.
[[nodiscard]] inline boost::asio::awaitable<void> until_next_look() {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, kLookAgain);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace ollama_proxy::grpc_api
