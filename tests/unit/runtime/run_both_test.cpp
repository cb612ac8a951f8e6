#include "ollama_proxy/runtime/run_both.hpp"

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace ollama_proxy::runtime {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using namespace std::chrono_literals;

/// What happened, letter by letter.
struct Log {
    std::string text;
    Side one;
    Side other;
    bool threw = false;
};

/// Waits; then writes its letter, or a small one when it was cancelled. `ends`: cancels that side.
awaitable<void> wait_and_write(Clock::duration time, char letter, Log& log, Side* ends = nullptr) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    log.text += error ? static_cast<char>(letter - 'A' + 'a') : letter;
    if (ends) ends->cancel.emit(asio::cancellation_type::total);
}

awaitable<void> fail() {
    throw std::runtime_error("broken");
    co_return;
}

awaitable<void> both(awaitable<void> one, awaitable<void> other, Log& log) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await run_both(std::move(one), log.one, std::move(other), log.other);
    log.text += '.';
    try {
        asio::steady_timer timer(co_await asio::this_coro::executor, 0ms);
        co_await timer.async_wait(asio::use_awaitable);
    } catch (const boost::system::system_error&) {
        log.threw = true;
    }
}

TEST(RunBoth, ReturnsWhenBothHaveEnded) {
    asio::io_context context;
    Log log;
    asio::co_spawn(context, both(wait_and_write(5ms, 'A', log), wait_and_write(0ms, 'B', log), log),
                   [](const std::exception_ptr&) {});
    context.run();
    EXPECT_EQ(log.text, "BA.");
    EXPECT_FALSE(log.one.failure || log.other.failure);
    EXPECT_FALSE(log.threw) << "and the caller goes on";
}

TEST(RunBoth, OneMayEndTheOther) {
    asio::io_context context;
    Log log;
    asio::co_spawn(
        context, both(wait_and_write(0ms, 'A', log, &log.other), wait_and_write(1h, 'B', log), log),
        [](const std::exception_ptr&) {});
    context.run();
    EXPECT_EQ(log.text, "Ab.");
    EXPECT_FALSE(log.threw);
}

TEST(RunBoth, WhatOneThrowsIsKeptAndTheOtherGoesOn) {
    asio::io_context context;
    Log log;
    asio::co_spawn(context, both(fail(), wait_and_write(1ms, 'B', log), log),
                   [](const std::exception_ptr&) {});
    context.run();
    EXPECT_EQ(log.text, "B.");
    EXPECT_TRUE(log.one.failure);
    EXPECT_FALSE(log.other.failure);
}

TEST(RunBoth, CancellingItCancelsBothAndWaitsForThem) {
    asio::io_context context;
    Log log;
    asio::cancellation_signal cancel;
    bool done = false;
    asio::co_spawn(context, both(wait_and_write(1h, 'A', log), wait_and_write(1h, 'B', log), log),
                   asio::bind_cancellation_slot(cancel.slot(),
                                                [&](const std::exception_ptr&) { done = true; }));
    context.poll();
    cancel.emit(asio::cancellation_type::total);
    context.restart();
    context.run();
    EXPECT_TRUE(done);
    EXPECT_EQ(log.text, "ab.");
    EXPECT_TRUE(log.threw) << "the caller is cancelled as before";
}

TEST(RunBoth, DyingWithItsContextHarmsNobody) {
    Log log;
    {
        asio::io_context context;
        asio::co_spawn(context,
                       both(wait_and_write(1h, 'A', log), wait_and_write(1h, 'B', log), log),
                       [](const std::exception_ptr&) {});
        context.poll();
    }
    EXPECT_EQ(log.text, "");
}

}  // namespace
}  // namespace ollama_proxy::runtime
