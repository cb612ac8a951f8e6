#include "ollama_proxy/runtime/with_timeout.hpp"

#include <boost/asio/as_tuple.hpp>

#include <exception>

namespace ollama_proxy::runtime::detail {
namespace asio = boost::asio;

asio::awaitable<bool> race_with_timer(asio::awaitable<void> operation, Clock::duration limit) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, limit);
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, std::move(operation), asio::deferred),
        timer.async_wait(asio::deferred));
    auto [order, failure, timer_error] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const bool late = order[0] == 1 && !timer_error;
    if (failure && !late) std::rethrow_exception(failure);
    co_return late;
}

}  // namespace ollama_proxy::runtime::detail
