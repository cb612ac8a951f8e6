#include "ollama_proxy/access/gate.hpp"

#include <gtest/gtest.h>
#include <openssl/sha.h>

namespace ollama_proxy::access {
namespace {

config::ApiKey key(const std::string& name, const std::string& secret,
                   config::Permissions permissions) {
    config::ApiKey out{name, {}, permissions};
    SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), out.sha256.data());
    return out;
}

TEST(Gate, TakesThePortAndTheBracketsOffAHost) {
    EXPECT_EQ(host_without_port("localhost:80"), "localhost");
    EXPECT_EQ(host_without_port("localhost"), "localhost");
    EXPECT_EQ(host_without_port("localhost."), "localhost");
    EXPECT_EQ(host_without_port("[::1]:80"), "::1");
    EXPECT_EQ(host_without_port("[::1]"), "::1");
    EXPECT_EQ(host_without_port("::1"), "::1");
    EXPECT_EQ(host_without_port(""), "");
    EXPECT_EQ(host_without_port("["), "");
    EXPECT_EQ(host_without_port("[::1"), "::1");
}

TEST(Gate, KnowsLoopbackByNameAndAddress) {
    for (const char* host : {"localhost", "LocalHost", "a.localhost", "127.0.0.1", "127.255.0.9",
                             "::1", "0:0:0:0:0:0:0:1"}) {
        EXPECT_TRUE(is_loopback_host(host)) << host;
    }
    for (const char* host : {"", ".localhost", "localhost.example", "notlocalhost", "128.0.0.1",
                             "0.0.0.0", "::", "::2", "127.0.0.1.example", "127.1"}) {
        EXPECT_FALSE(is_loopback_host(host)) << host;
    }
}

TEST(Gate, ServesHostsThatAreLoopbackConfiguredOrTheAddressConnectedTo) {
    config::Server server;
    server.allowed_hosts = {"box.lan", "port.lan:81"};
    EXPECT_TRUE(host_allowed("192.168.1.5:8080", "192.168.1.5", server));
    EXPECT_FALSE(host_allowed("192.168.1.6:8080", "192.168.1.5", server));
    EXPECT_TRUE(host_allowed("BOX.lan:1", "127.0.0.1", server));
    EXPECT_TRUE(host_allowed("port.lan:81", "127.0.0.1", server));
    EXPECT_FALSE(host_allowed("port.lan:82", "127.0.0.1", server));
    EXPECT_FALSE(host_allowed("sub.box.lan", "127.0.0.1", server));
    EXPECT_TRUE(host_allowed("", "127.0.0.1", server)) << "HTTP/1.0 needs no Host";
}

TEST(Gate, AnOriginWithMoreThanHostAndPortIsNoLoopbackPage) {
    const config::Server server;
    for (const char* origin :
         {"http://localhost:80@evil.example", "http://localhost@evil.example",
          "http://[::1].evil.example", "http://[::1", "http://localhost/x",
          "http://localhost:", "http://localhost:80x", "http://localhost?x",
          "http://localhost\\evil", "null", "", "http://", "localhost", "javascript:alert(1)"}) {
        EXPECT_FALSE(origin_allowed(origin, server)) << origin;
    }
    for (const char* origin : {"http://localhost", "https://localhost:8443", "http://[::1]:5173",
                               "http://127.0.0.1:3000", "app://anything", "tauri://localhost"}) {
        EXPECT_TRUE(origin_allowed(origin, server)) << origin;
    }
}

TEST(Gate, NullIsNotAllowedEvenBesideConfiguredOrigins) {
    config::Server server;
    server.allowed_origins = {"https://chat.example"};
    EXPECT_FALSE(origin_allowed("null", server));
    EXPECT_TRUE(origin_allowed("https://Chat.Example", server));
    EXPECT_FALSE(origin_allowed("https://chat.example:444", server));
}

TEST(Gate, JudgesHostBeforeOriginAndOriginBeforeTheFetchSite) {
    const config::Server server;
    BrowserFacts facts{"evil.example", "http://evil.example", true, "cross-site", "127.0.0.1"};
    EXPECT_EQ(check_browser(facts, server)->code, Errc::forbidden_host);
    facts.host = "localhost";
    EXPECT_EQ(check_browser(facts, server)->code, Errc::forbidden_origin);
    EXPECT_EQ(check_browser(facts, server)->param, "Origin");
    facts.origin = "http://localhost:3000";
    EXPECT_FALSE(check_browser(facts, server)) << "an allowed origin may be another site";
    facts.has_origin = false;
    EXPECT_EQ(check_browser(facts, server)->param, "Sec-Fetch-Site");
    facts.sec_fetch_site = "same-site";
    EXPECT_FALSE(check_browser(facts, server));
}

TEST(Gate, FindsTheKeyThatFitsAndItsPermission) {
    config::Auth auth{
        true, {key("one", "sk-1", {true, false, false}), key("two", "sk-2", {false, true, false})}};
    EXPECT_EQ(*check_key("sk-1", Permission::inference, auth), "one");
    EXPECT_EQ(*check_key("sk-2", Permission::read, auth), "two");
    EXPECT_EQ(*check_key("sk-2", Permission::none, auth), "two");
    const auto denied = check_key("sk-1", Permission::admin, auth);
    EXPECT_EQ(denied.error().code, Errc::permission_denied);
    EXPECT_NE(denied.error().message.find("'one'"), std::string::npos);
    EXPECT_NE(denied.error().message.find("'admin'"), std::string::npos);
    for (const char* wrong : {"", "sk-", "sk-11", "SK-1", "one"}) {
        const auto unknown = check_key(wrong, Permission::inference, auth);
        EXPECT_EQ(unknown.error().code, Errc::invalid_api_key) << wrong;
        EXPECT_EQ(unknown.error().message.find("sk-"), std::string::npos) << "a key in a message";
    }
    EXPECT_EQ(check_key("x", Permission::read, config::Auth{true, {}}).error().code,
              Errc::invalid_api_key);
}

TEST(Gate, TakesTheCredentialAfterBearer) {
    EXPECT_EQ(bearer_of("Bearer abc"), "abc");
    EXPECT_EQ(bearer_of("bEARER   abc "), "abc");
    EXPECT_EQ(bearer_of("Bearer "), "");
    EXPECT_EQ(bearer_of("Bearer"), "");
    EXPECT_EQ(bearer_of("Basic abc"), "");
    EXPECT_EQ(bearer_of("Bearerabc"), "");
}

}  // namespace
}  // namespace ollama_proxy::access
