#include "ollama_proxy/runtime/with_timeout.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

namespace ollama_proxy::runtime {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using namespace std::chrono_literals;

awaitable<int> after(Clock::duration d, int value, int* cancelled) {
    asio::steady_timer timer(co_await asio::this_coro::executor, d);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) ++*cancelled;
    co_return value;
}

awaitable<int> fail() {
    throw std::runtime_error("broken");
    co_return 1;
}

awaitable<void> run(awaitable<int> operation, Clock::duration limit, std::optional<int>* out) {
    *out = co_await with_timeout(std::move(operation), limit);
}

TEST(WithTimeout, GivesTheValueOfAnOperationInTime) {
    asio::io_context context;
    int cancelled = 0;
    std::optional<int> out;
    asio::co_spawn(context, run(after(1ms, 42, &cancelled), 1h, &out), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    const auto start = Clock::now();
    context.run();
    EXPECT_EQ(out, 42);
    EXPECT_EQ(cancelled, 0);
    EXPECT_LT(Clock::now() - start, 10min);
}

TEST(WithTimeout, CancelsALateOperationAndWaitsForItsEnd) {
    asio::io_context context;
    int cancelled = 0;
    std::optional<int> out = 7;
    asio::co_spawn(context, run(after(1h, 42, &cancelled), 5ms, &out), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    context.run();
    EXPECT_EQ(out, std::nullopt);
    EXPECT_EQ(cancelled, 1);
}

TEST(WithTimeout, PassesAnExceptionOn) {
    asio::io_context context;
    std::optional<int> out;
    bool thrown = false;
    asio::co_spawn(context, run(fail(), 1h, &out), [&](std::exception_ptr e) { thrown = !!e; });
    context.run();
    EXPECT_TRUE(thrown);
}

awaitable<void> run_accepting_total(int* cancelled, std::optional<int>* out) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    *out = co_await with_timeout(after(1h, 42, cancelled), 2h);
}

TEST(WithTimeout, CancelledFromOutsideItCancelsTheOperation) {
    asio::io_context context;
    asio::cancellation_signal signal;
    int cancelled = 0;
    std::optional<int> out;
    bool ended = false;
    asio::co_spawn(
        context, run_accepting_total(&cancelled, &out),
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended = true; }));
    context.poll();
    EXPECT_FALSE(ended);
    signal.emit(asio::cancellation_type::total);
    context.run();
    EXPECT_TRUE(ended);
    EXPECT_EQ(cancelled, 1);
}

}  // namespace
}  // namespace ollama_proxy::runtime
