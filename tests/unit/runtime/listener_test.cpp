#include "ollama_proxy/runtime/listener.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ollama_proxy::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> meant_by(const std::string& host) {
    std::vector<std::string> out;
    for (const auto& endpoint : listen_endpoints(host, 8080)) {
        EXPECT_EQ(endpoint.port(), 8080);
        out.push_back(endpoint.address().to_string());
    }
    return out;
}

TEST(ListenEndpoints, TheLoopbackOfIpv4BringsThatOfIpv6Along) {
    EXPECT_THAT(meant_by("127.0.0.1"), ElementsAre("127.0.0.1", "::1"));
    EXPECT_THAT(meant_by("localhost"), ElementsAre("127.0.0.1", "::1"));
}

TEST(ListenEndpoints, AnyOtherAddressStandsForItselfAlone) {
    for (const char* host : {"::1", "127.0.0.2", "0.0.0.0", "::", "192.0.2.7", "2001:db8::7"}) {
        EXPECT_THAT(meant_by(host), ElementsAre(host));
    }
}

TEST(ListenEndpoints, WhatIsNoAddressStandsForNone) {
    for (const char* host : {"", "[::1]", "name.example"}) {
        EXPECT_THAT(meant_by(host), IsEmpty()) << host;
    }
}

TEST(ListenOn, AHostThatIsNoAddressIsAnErrorAndNotSilence) {
    boost::asio::io_context control;
    const auto listeners =
        listen_on(control, {"127.0.0.1", "name.example"}, 0, {"server.http_port", "--http-port"});
    ASSERT_FALSE(listeners);
    EXPECT_EQ(listeners.error().param, "server.host");
    EXPECT_THAT(listeners.error().message, HasSubstr("name.example"));
}

TEST(ListenOn, AnAddressThatIsNamedTwiceIsListenedOnOnce) {
    boost::asio::io_context control;
    const PortName name{"server.http_port", "--http-port"};
    const auto once = listen_on(control, {"127.0.0.1"}, 0, name);
    const auto twice = listen_on(control, {"127.0.0.1", "::1", "localhost"}, 0, name);
    ASSERT_TRUE(once);
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_EQ(twice->size(), once->size());
}

}  // namespace
}  // namespace ollama_proxy::runtime
