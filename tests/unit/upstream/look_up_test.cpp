#include "upstream/look_up.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

namespace ollama_proxy::upstream {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

const tcp::endpoint kSomewhere(asio::ip::make_address("192.0.2.7"), 443);

TEST(LookUp, GivesWhatTheLookupFound) {
    asio::io_context context;
    std::optional<Result<Addresses>> found;
    std::string asked;
    const Lookup lookup = [&](const std::string& host, const std::string& port) {
        asked = host + ":" + port;
        return Result<Addresses>(Addresses{kSomewhere});
    };
    asio::co_spawn(
        context, look_up("api.example", "443", lookup),
        [&](std::exception_ptr, Result<Addresses> result) { found = std::move(result); });
    context.run();
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(**found, Addresses{kSomewhere});
    EXPECT_EQ(asked, "api.example:443");
}

TEST(LookUp, OfALiteralAddressAndOfNothing) {
    const auto found = addresses_of("127.0.0.1", "8080");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(*found, Addresses{tcp::endpoint(asio::ip::address_v4::loopback(), 8080)});
    const auto nothing = addresses_of("no such host", "8080");
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code, Errc::upstream_refused);
    EXPECT_NE(nothing.error().message.find("'no such host' does not resolve"), std::string::npos)
        << nothing.error().message;
}

/// A resolver that does not answer holds up neither who waits for it nor the end of the context.
TEST(LookUp, CancellingLeavesALookupThatHangsBehind) {
    std::promise<void> release;
    std::promise<void> begun;
    std::promise<void> ended;
    std::exception_ptr failure;
    {
        asio::io_context context;
        asio::cancellation_signal signal;
        // what the thread still uses when the context is gone lives in this test
        const Lookup hangs = [&](const std::string&, const std::string&) {
            begun.set_value();
            release.get_future().wait();
            ended.set_value();
            return Result<Addresses>(Addresses{kSomewhere});
        };
        asio::co_spawn(context, look_up("api.example", "443", hangs),
                       asio::bind_cancellation_slot(
                           signal.slot(), [&](std::exception_ptr thrown, Result<Addresses>) {
                               failure = std::move(thrown);
                           }));
        context.poll();
        begun.get_future().wait();
        signal.emit(asio::cancellation_type::terminal);
        context.run();
    }
    EXPECT_TRUE(failure) << "cancelled";
    release.set_value();
    ended.get_future().wait();
}

TEST(LookUp, ANameThatHangsHangsOnce) {
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    std::atomic<int> asked{0};
    const Lookup hangs = [&asked, released](const std::string&, const std::string&) {
        ++asked;
        released.wait();
        return Result<Addresses>(Addresses{kSomewhere});
    };
    asio::io_context context;
    int found = 0;
    for (int i = 0; i < 3; ++i) {
        asio::co_spawn(context, look_up("once.example", "443", hangs),
                       [&](std::exception_ptr, const Result<Addresses>& result) {
                           if (result && *result == Addresses{kSomewhere}) ++found;
                       });
    }
    context.poll();
    release.set_value();
    context.run();
    EXPECT_EQ(found, 3);
    EXPECT_EQ(asked, 1);
    // the next one asks anew
    asio::co_spawn(context, look_up("once.example", "443", hangs),
                   [&](std::exception_ptr, const Result<Addresses>&) { ++found; });
    context.restart();
    context.run();
    EXPECT_EQ(found, 4);
    EXPECT_EQ(asked, 2);
}

TEST(LookUp, LoopbackAndLiteralsNeedNone) {
    const auto known = [](const std::string& host) {
        std::vector<std::string> out;
        for (const auto& one : known_addresses({"", false, host, 80})) {
            out.push_back(one.address().to_string());
        }
        return out;
    };
    EXPECT_EQ(known("localhost"), (std::vector<std::string>{"127.0.0.1", "::1"}));
    EXPECT_EQ(known("192.0.2.7"), std::vector<std::string>{"192.0.2.7"});
    EXPECT_EQ(known("::1"), std::vector<std::string>{"::1"});
    EXPECT_TRUE(known("api.example").empty());
}

}  // namespace
}  // namespace ollama_proxy::upstream
