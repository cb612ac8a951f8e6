// What of a backend's answer does not reach the client, and what no backend can make us do.

#include "front_end.hpp"

#include <vector>

namespace ollama_proxy::front_end {
namespace {

TEST(Hygiene, WhatBelongsToTheBackendsOriginIsNotRelayed) {
    ScriptedBackend backend(ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.reply(200, "{}", "application/json; charset=utf-8",
                   "Set-Cookie: a=b\r\nServer: evil/1\r\nAccess-Control-Allow-Origin: *\r\n"
                   "Access-Control-Allow-Credentials: true\r\n"
                   "Access-Control-Expose-Headers: X\r\n"
                   "Strict-Transport-Security: max-age=1\r\nClear-Site-Data: \"*\"\r\n"
                   "Alt-Svc: h3=\":1\"\r\nKeep-Alive: timeout=1\r\nProxy-Authenticate: Basic\r\n"
                   "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nUpgrade: h2c\r\n"
                   "X-Content-Type-Options: off\r\nX-Request-ID: theirs\r\nVary: Cookie\r\n"
                   "X-Backend-Used: theirs\r\nX-Routing-Reason: theirs\r\n"
                   "Openai-Processing-Ms: 12\r\nX-RateLimit-Limit-Requests: 9\r\n");
    }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    for (const char* path : {"/v1/chat/completions", "/api/pull"}) {
        SCOPED_TRACE(path);
        RawClient client(daemon.port());
        const auto reply = client.post(path, kChatBody, {{"X-Request-ID", "ours"}});
        EXPECT_EQ(reply.status, 200);
        for (const char* name :
             {"Set-Cookie", "Server", "Access-Control-Allow-Origin",
              "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
              "Strict-Transport-Security", "Clear-Site-Data", "Alt-Svc", "Keep-Alive",
              "Proxy-Authenticate", "X-Hop", "Upgrade", "Connection"}) {
            EXPECT_EQ(reply.head.count(name), 0U) << name;
        }
        for (const auto& [name, value] :
             Headers{{"X-Content-Type-Options", "nosniff"},
                     {"X-Request-ID", "ours"},
                     {"Vary", "Origin"},
                     {"X-Backend-Used", "a"},
                     {"Content-Type", "application/json; charset=utf-8"},
                     {"Openai-Processing-Ms", "12"},
                     {"X-RateLimit-Limit-Requests", "9"}}) {
            EXPECT_EQ(reply.head.count(name), 1U) << name;
            EXPECT_EQ(reply.header(name), value);
        }
        EXPECT_NE(reply.header("X-Routing-Reason"), "theirs");
        EXPECT_EQ(client.get("/healthz").status, 200) << "the connection goes on";
    }
}

TEST(Hygiene, ARedirectOfABackendIsNotFollowed) {
    ScriptedBackend elsewhere(ScriptedBackend::answering_json("{}"));
    ScriptedBackend backend(ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.reply(307, "{}", "application/json", "Location: " + elsewhere.url() + "/x\r\n");
    }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    for (const char* path : {"/v1/chat/completions", "/api/pull"}) {
        (void)support::http_post(daemon.port(), path, kChatBody);
    }
    EXPECT_EQ(elsewhere.connection_count(), 0U);
    EXPECT_EQ(backend.request_count(), 2U);
}

TEST(Hygiene, NoHeaderAndNoFieldCanNameABackend) {
    ScriptedBackend elsewhere(ScriptedBackend::answering_json("{}"));
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    const std::string url = elsewhere.url();
    const std::string host = "127.0.0.1:" + std::to_string(elsewhere.port());
    for (const Headers& headers : std::vector<Headers>{{{"X-Target-Backend", url}},
                                                       {{"X-Target-Backend", host}},
                                                       {{"X-Forwarded-Host", host}},
                                                       {{"X-Backend-Url", url}},
                                                       {{"Host", host}}}) {
        (void)support::http_post(daemon.port(), kChat,
                                 R"({"model":"test-model","messages":["hi"],"base_url":")" + url +
                                     R"(","endpoint":")" + url + "\"}",
                                 headers);
        (void)support::http_post(daemon.port(), "/api/pull", R"({"model":"x"})", headers);
    }
    EXPECT_EQ(elsewhere.connection_count(), 0U);
}

/// The argument of a blob's path goes into the upstream path: it must not leave its folder.
TEST(Hygiene, ABlobsNameCannotReachAnotherRouteOfTheBackend) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    for (const char* path :
         {"/api/blobs/../generate", "/api/blobs/..", "/api/blobs/sha256:00/../../delete",
          "/api/blobs/%2e%2e/generate", "/api/blobs/..%2fgenerate", "/api/blobs/..\\generate",
          "/api/blobs/sha256:00;x", "/api/blobs/.", "/api/blobs/a/b"}) {
        SCOPED_TRACE(path);
        RawClient client(daemon.port());
        const auto reply = client.post(path, R"({"model":"test-model"})");
        EXPECT_EQ(reply.status, 400) << reply.raw;
    }
    EXPECT_EQ(backend.request_count(), 0U);
    for (const char* path : {"/api/blobs/sha256:0aF", "/api/blobs/sha256-0af?x=1"}) {
        EXPECT_EQ(support::http_post(daemon.port(), path, "x").status, 200);
    }
    EXPECT_EQ(backend.requests().back().target, "/api/blobs/sha256-0af");
}

TEST(Hygiene, NothingOfTheQueryGoesUpstream) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    EXPECT_EQ(support::http_post(daemon.port(), "/v1/messages?beta=true&key=s", kChatBody).status,
              200);
    EXPECT_EQ(backend.requests().back().target, "/v1/messages");
}

TEST(Hygiene, RepliesTellBrowsersToBelieveTheType) {
    const TestDaemon daemon(support::config_yaml({}));
    for (const char* path : {"/", "/healthz", "/readyz", "/health", "/backends", "/v1/models",
                             "/api/tags", "/api/version", "/nope"}) {
        const auto reply = support::http_get(daemon.port(), path);
        EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff") << path;
        EXPECT_FALSE(reply.has_header("Server"));
        EXPECT_TRUE(reply.has_header("Date"));
    }
}

}  // namespace
}  // namespace ollama_proxy::front_end
