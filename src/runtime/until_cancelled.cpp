#include "ollama_proxy/runtime/until_cancelled.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>

namespace ollama_proxy::runtime::detail {
namespace asio = boost::asio;
namespace {

/// Passes a cancellation of the waiting coroutine on to the operation for the time of a scope.
class ForwardCancellation {
  public:
    ForwardCancellation(asio::cancellation_slot from, asio::cancellation_signal& to) : from_(from) {
        if (from_.is_connected()) {
            from_.assign([&to](asio::cancellation_type type) { to.emit(type); });
        }
    }
    ForwardCancellation(const ForwardCancellation&) = delete;
    ForwardCancellation& operator=(const ForwardCancellation&) = delete;
    ~ForwardCancellation() {
        if (from_.is_connected()) from_.clear();
    }

  private:
    asio::cancellation_slot from_;
};

}  // namespace

asio::awaitable<std::exception_ptr> run_under(asio::cancellation_signal& signal,
                                              asio::awaitable<void> operation) {
    auto executor = co_await asio::this_coro::executor;
    auto state = co_await asio::this_coro::cancellation_state;
    ForwardCancellation forward(state.slot(), signal);
    auto token = asio::bind_cancellation_slot(signal.slot(), asio::as_tuple(asio::use_awaitable));
    auto [error] = co_await asio::co_spawn(executor, std::move(operation), token);
    co_return error;
}

}  // namespace ollama_proxy::runtime::detail
