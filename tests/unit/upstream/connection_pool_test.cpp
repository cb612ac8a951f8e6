#include "upstream/connection_pool.hpp"

#include "support/socket.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace ollama_proxy::upstream {
namespace {

namespace asio = boost::asio;

class ConnectionPoolTest : public testing::Test {
  protected:
    /// A connection with its other end in `peers_`.
    std::unique_ptr<Connection> connected() {
        auto connection = std::make_unique<Connection>(context_.get_executor());
        const Backend::Addresses addresses{
            {asio::ip::address_v4::loopback(), listener_.local_port()}};
        const config::Backend settings;
        asio::co_spawn(context_, connection->connect(settings, addresses),
                       [](const std::exception_ptr&, const Connection::ErrorCode& error) {
                           EXPECT_FALSE(error) << error.message();
                       });
        context_.restart();
        context_.run();
        peers_.push_back(std::move(*listener_.accept(support::Clock::now() + support::kPatience)));
        return connection;
    }
    /// Bytes and ends arrive on their own: waits until the pool can see them.
    void wait_until_useless(Connection& connection) {
        EXPECT_TRUE(support::eventually([&] { return !connection.is_reusable(); }));
    }

    asio::io_context context_{1};
    support::Socket listener_ = support::Socket::listen(128);
    std::vector<support::Socket> peers_;
    ConnectionPool pool_;
    const std::shared_ptr<Backend> backend_ =
        std::make_shared<Backend>(config::Backend{}, config::CircuitBreaker{});
    const std::shared_ptr<Backend> other_ =
        std::make_shared<Backend>(config::Backend{}, config::CircuitBreaker{});
    const TimePoint now_ = Clock::now();
};

TEST_F(ConnectionPoolTest, TheLastOneReturnedIsTheFirstOneTaken) {
    auto one = connected();
    auto two = connected();
    const Connection* first = one.get();
    const Connection* second = two.get();
    pool_.give_back(backend_, std::move(one), now_);
    pool_.give_back(backend_, std::move(two), now_);
    EXPECT_EQ(pool_.take(*other_, now_), nullptr) << "another backend's";
    EXPECT_EQ(pool_.take(*backend_, now_).get(), second);
    EXPECT_EQ(pool_.take(*backend_, now_).get(), first);
    EXPECT_EQ(pool_.take(*backend_, now_), nullptr);
}

TEST_F(ConnectionPoolTest, WhatTheBackendClosedOrSpokeOnIsNotUsed) {
    auto closed = connected();
    auto spoke = connected();
    auto good = connected();
    const Connection* wanted = good.get();
    peers_[0].close();
    peers_[1].send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    wait_until_useless(*closed);
    wait_until_useless(*spoke);
    pool_.give_back(backend_, std::move(good), now_);
    pool_.give_back(backend_, std::move(closed), now_);
    pool_.give_back(backend_, std::move(spoke), now_);
    EXPECT_EQ(pool_.take(*backend_, now_).get(), wanted);
}

TEST_F(ConnectionPoolTest, WhatIsOldIsClosed) {
    pool_.give_back(backend_, connected(), now_);
    EXPECT_EQ(pool_.take(*backend_, now_ + ConnectionPool::kIdleLimit), nullptr);
    EXPECT_EQ(peers_[0].receive(support::Clock::now() + support::kPatience), "");
}

TEST_F(ConnectionPoolTest, KeepsABoundedNumberAndTheYoungest) {
    for (std::size_t i = 0; i < ConnectionPool::kIdlePerBackend + 1; ++i) {
        pool_.give_back(backend_, connected(), now_);
    }
    EXPECT_EQ(peers_[0].receive(support::Clock::now() + support::kPatience), "") << "the oldest";
    std::size_t kept = 0;
    while (pool_.take(*backend_, now_)) ++kept;
    EXPECT_EQ(kept, ConnectionPool::kIdlePerBackend);
}

TEST_F(ConnectionPoolTest, FlushingClosesAll) {
    pool_.give_back(backend_, connected(), now_);
    pool_.flush();
    EXPECT_EQ(pool_.take(*backend_, now_), nullptr);
    EXPECT_EQ(peers_[0].receive(support::Clock::now() + support::kPatience), "");
}

TEST_F(ConnectionPoolTest, OfABackendThatIsGoneNothingIsKept) {
    pool_.give_back(backend_, connected(), now_);
    pool_.give_back(other_, connected(), now_);
    backend_->retire();
    pool_.drop_retired();
    EXPECT_EQ(peers_[0].receive(support::Clock::now() + support::kPatience), "");
    EXPECT_NE(pool_.take(*other_, now_), nullptr);

    pool_.give_back(backend_, connected(), now_);
    EXPECT_EQ(peers_[2].receive(support::Clock::now() + support::kPatience), "")
        << "a request that ended after the reload";
}

}  // namespace
}  // namespace ollama_proxy::upstream
