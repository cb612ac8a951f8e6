#include "ollama_proxy/runtime/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

namespace ollama_proxy::runtime {
namespace {

namespace asio = boost::asio;
using asio::awaitable;

awaitable<void> wait_for_ever(int* ended) {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    ++*ended;
}

/// Ignores the polite request and goes on until it is cut off.
awaitable<void> stubborn(int* polite, int* cut) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    ++*polite;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    asio::steady_timer again(executor, asio::steady_timer::time_point::max());
    co_await again.async_wait(asio::as_tuple(asio::use_awaitable));
    ++*cut;
}

awaitable<void> fail() {
    throw std::runtime_error("broken");
    co_return;
}

awaitable<void> empty_then(TaskGroup& group, bool* seen) {
    co_await group.until_empty();
    *seen = true;
}

struct GroupTest : testing::Test {
    asio::io_context context;
    std::vector<std::string> failures;
    TaskGroup group{context.get_executor(),
                    [this](const std::string& text) { failures.push_back(text); }};
};

TEST_F(GroupTest, TotalCancellationEndsTasksAndEmptiesTheGroup) {
    int ended = 0;
    bool empty = false;
    group.spawn(wait_for_ever(&ended));
    group.spawn(wait_for_ever(&ended));
    asio::co_spawn(context, empty_then(group, &empty), asio::detached);
    context.poll();
    EXPECT_EQ(group.size(), 2U);
    EXPECT_FALSE(empty);
    group.cancel(asio::cancellation_type::total);
    context.run();
    EXPECT_EQ(ended, 2);
    EXPECT_TRUE(empty);
    EXPECT_TRUE(failures.empty());
}

TEST_F(GroupTest, TerminalCancellationEndsWhatIgnoredTotal) {
    int polite = 0;
    int cut = 0;
    group.spawn(stubborn(&polite, &cut));
    context.poll();
    group.cancel(asio::cancellation_type::total);
    context.poll();
    EXPECT_EQ(polite, 1);
    EXPECT_EQ(group.size(), 1U);
    group.cancel(asio::cancellation_type::terminal);
    context.run();
    EXPECT_EQ(cut, 1);
    EXPECT_EQ(group.size(), 0U);
}

TEST_F(GroupTest, ClosedGroupRefusesNewTasks) {
    int ended = 0;
    group.close();
    EXPECT_FALSE(group.spawn(wait_for_ever(&ended)));
    EXPECT_EQ(group.size(), 0U);
}

TEST_F(GroupTest, AnExceptionIsReportedAndTheOthersGoOn) {
    int ended = 0;
    group.spawn(fail());
    group.spawn(wait_for_ever(&ended));
    context.poll();
    EXPECT_EQ(failures, (std::vector<std::string>{"broken"}));
    EXPECT_EQ(group.size(), 1U);
    group.cancel(asio::cancellation_type::total);
    context.run();
    EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace ollama_proxy::runtime
