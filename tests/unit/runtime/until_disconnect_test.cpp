#include "ollama_proxy/runtime/until_disconnect.hpp"

#include "ollama_proxy/runtime/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

namespace ollama_proxy::runtime {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
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

struct Pair : testing::Test {
    Pair() {
        tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        peer.connect(acceptor.local_endpoint());
        acceptor.accept(socket);
        socket.native_non_blocking(true);
    }
    /// Runs `operation` under the watch on the context; `then` acts as the peer first.
    template <class Then>
    std::optional<int> watch_while(awaitable<int> operation, Then then, std::size_t limit = 64) {
        DisconnectWatch watch(socket, buffer, limit);
        std::optional<int> out;
        TaskGroup group(context.get_executor(), [&](const std::string&) { failed = true; });
        group.spawn([&](asio::cancellation_signal& own) {
            return run(watch, own, std::move(operation), &out, &went_on);
        });
        context.poll();
        then();
        context.restart();
        context.run();
        gone = watch.gone();
        return out;
    }
    static awaitable<void> run(DisconnectWatch& watch, asio::cancellation_signal& own,
                               awaitable<int> operation, std::optional<int>* out, bool* went_on) {
        *out = co_await until_disconnect(watch, own, std::move(operation));
        co_await asio::post(asio::use_awaitable);
        *went_on = true;
    }

    asio::io_context context;
    tcp::socket socket{context};
    tcp::socket peer{context};
    std::string buffer;
    int cancelled = 0;
    bool failed = false;
    bool gone = false;
    bool went_on = false;  ///< what the caller awaits afterwards is not cancelled
};

TEST_F(Pair, TheOperationEndsByItselfWhileThePeerStays) {
    EXPECT_EQ(watch_while(after(5ms, 42, &cancelled), [] {}), 42);
    EXPECT_FALSE(gone);
    EXPECT_EQ(cancelled, 0);
}

TEST_F(Pair, AClosedPeerCancelsTheOperation) {
    EXPECT_EQ(watch_while(after(1h, 42, &cancelled), [&] { peer.close(); }), std::nullopt);
    EXPECT_TRUE(gone);
    EXPECT_EQ(cancelled, 1);
    EXPECT_FALSE(failed);
    EXPECT_TRUE(went_on);
}

TEST_F(Pair, APeerThatLeftBeforeCancelsTheOperationAtOnce) {
    DisconnectWatch watch(socket, buffer, 64);
    peer.close();
    const auto once = [&](std::optional<int>& out) {
        TaskGroup group(context.get_executor(), [&](const std::string&) { failed = true; });
        group.spawn([&](asio::cancellation_signal& own) {
            return run(watch, own, after(1h, 42, &cancelled), &out, &went_on);
        });
        context.restart();
        context.run();
    };
    std::optional<int> first = 1;
    std::optional<int> second = 1;
    once(first);
    once(second);
    EXPECT_EQ(first, std::nullopt);
    EXPECT_EQ(second, std::nullopt);
    EXPECT_TRUE(went_on);
    EXPECT_FALSE(failed);
}

TEST_F(Pair, AHalfClosedPeerCountsAsGone) {
    EXPECT_EQ(
        watch_while(after(1h, 42, &cancelled), [&] { peer.shutdown(tcp::socket::shutdown_send); }),
        std::nullopt);
    EXPECT_TRUE(gone);
}

TEST_F(Pair, AResetCountsAsGone) {
    EXPECT_EQ(watch_while(after(1h, 42, &cancelled),
                          [&] {
                              peer.set_option(asio::socket_base::linger(true, 0));
                              peer.close();
                          }),
              std::nullopt);
    EXPECT_TRUE(gone);
}

TEST_F(Pair, BytesThatComeMeanwhileAreKeptForTheNextRequest) {
    EXPECT_EQ(watch_while(after(30ms, 42, &cancelled),
                          [&] { asio::write(peer, asio::buffer("GET /next", 9)); }),
              42);
    EXPECT_EQ(buffer, "GET /next");
    EXPECT_FALSE(gone);
}

TEST_F(Pair, ALeaveBehindPipelinedBytesIsNoticed) {
    EXPECT_EQ(watch_while(after(1h, 42, &cancelled),
                          [&] {
                              asio::write(peer, asio::buffer("GET /next", 9));
                              peer.close();
                          }),
              std::nullopt);
    EXPECT_TRUE(gone);
}

TEST_F(Pair, ALeaveBehindAFullBufferIsNoticedWithinASecondOrTwo) {
    const auto start = Clock::now();
    EXPECT_EQ(watch_while(
                  after(1h, 42, &cancelled),
                  [&] {
                      asio::write(peer, asio::buffer("GET /next/and/more", 18));
                      peer.close();
                  },
                  4),
              std::nullopt);
    EXPECT_TRUE(gone);
    EXPECT_EQ(buffer, "GET ");
    EXPECT_LT(Clock::now() - start, 10s);
}

TEST_F(Pair, AnExceptionOfTheOperationPassesThrough) {
    watch_while(fail(), [] {});
    EXPECT_TRUE(failed);
}

TEST_F(Pair, DisarmedItLeavesTheSocketToTheReader) {
    watch_while(after(1ms, 1, &cancelled), [] {});
    asio::write(peer, asio::buffer("x", 1));
    char byte = 0;
    boost::system::error_code error;
    socket.native_non_blocking(false);
    EXPECT_EQ(socket.read_some(asio::buffer(&byte, 1), error), 1U);
    EXPECT_EQ(byte, 'x');
    EXPECT_TRUE(buffer.empty());
}

}  // namespace
}  // namespace ollama_proxy::runtime
