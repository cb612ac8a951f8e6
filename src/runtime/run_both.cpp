#include "ollama_proxy/runtime/run_both.hpp"

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::runtime {
namespace asio = boost::asio;
namespace {

/// What both sides tell when they end.
struct Ends {
    asio::steady_timer last;  ///< cancelled by the last one
    int open = 2;
};

asio::awaitable<void> cancellable(asio::awaitable<void> operation) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await std::move(operation);
}

void start(const asio::any_io_executor& executor, asio::awaitable<void> operation, Side& side,
           Ends& ends) {
    auto on_end = [&side, &ends](std::exception_ptr failure) {
        side.failure = std::move(failure);
        if (--ends.open == 0) ends.last.cancel();
    };
    asio::co_spawn(executor, cancellable(std::move(operation)),
                   asio::bind_cancellation_slot(side.cancel.slot(), on_end));
}

/// While it lives a cancellation of the waiting coroutine goes to both sides.
class ForwardToBoth {
  public:
    ForwardToBoth(asio::cancellation_slot from, Side& one, Side& other) : from_(from) {
        if (!from_.is_connected()) return;
        from_.assign([&one, &other](asio::cancellation_type type) {
            one.cancel.emit(type);
            other.cancel.emit(type);
        });
    }
    ForwardToBoth(const ForwardToBoth&) = delete;
    ForwardToBoth& operator=(const ForwardToBoth&) = delete;
    ~ForwardToBoth() {
        if (from_.is_connected()) from_.clear();
    }

  private:
    asio::cancellation_slot from_;
};

}  // namespace

asio::awaitable<void> run_both(asio::awaitable<void> one, Side& its_side,
                               asio::awaitable<void> other, Side& other_side) {
    const auto executor = co_await asio::this_coro::executor;
    auto state = co_await asio::this_coro::cancellation_state;
    Ends ends{asio::steady_timer(executor, TimePoint::max())};
    const ForwardToBoth forward(state.slot(), its_side, other_side);
    start(executor, std::move(one), its_side, ends);
    start(executor, std::move(other), other_side, ends);
    // both are awaited whatever happens: a cancellation has gone to them, and ends nothing here
    co_await asio::this_coro::throw_if_cancelled(false);
    while (ends.open > 0) {
        auto token = asio::bind_cancellation_slot(asio::cancellation_slot(),
                                                  asio::as_tuple(asio::use_awaitable));
        co_await ends.last.async_wait(token);
    }
    co_await asio::this_coro::throw_if_cancelled(true);
}

}  // namespace ollama_proxy::runtime
