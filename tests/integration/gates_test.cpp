// Who may talk to the daemon through a browser: Host, Origin, Sec-Fetch-Site. Nothing happens
// before the gate.

#include "front_end.hpp"

#include <vector>

namespace ollama_proxy::front_end {
namespace {

class BrowserGate : public testing::Test {
  protected:
    BrowserGate() { daemon_.wait_until_healthy("a"); }
    ScriptedBackend backend_{ScriptedBackend::answering_json("{}")};
    TestDaemon daemon_{
        support::config_yaml({support::backend_yaml("a", backend_.port())},
                             "server: { allowed_hosts: [box.lan, 'alt.lan:9000'], "
                             "allowed_origins: ['https://chat.example'] }\n"
                             "health: { interval_ms: 60000, idle_interval_ms: 60000 }")};
};

struct Way {
    const char* method;
    const char* path;
    const char* body;
};
/// One of each kind of effect, and of each kind of fact.
const std::vector<Way> kWays{
    {"POST", "/v1/chat/completions", R"({"model":"test-model","messages":["hi"]})"},
    {"POST", "/v1/messages", R"({"model":"test-model","messages":["hi"]})"},
    {"POST", "/api/generate", R"({"model":"test-model","prompt":"x"})"},
    {"POST", "/api/generate", R"({"model":"test-model","keep_alive":0})"},
    {"POST", "/api/pull", R"({"model":"x"})"},
    {"DELETE", "/api/delete", R"({"model":"test-model"})"},
    {"POST", "/api/blobs/sha256:00", "blob"},
    {"HEAD", "/api/blobs/sha256:00", ""},
    {"GET", "/v1/models", ""},
    {"GET", "/backends", ""},
    {"GET", "/health", ""},
    {"GET", "/healthz", ""},
    {"GET", "/", ""},
    {"OPTIONS", "/api/delete", ""},
    {"GET", "/nope", ""},
};

TEST_F(BrowserGate, AForeignHostIs403OnEveryRouteAndWithoutEffect) {
    for (const Way& way : kWays) {
        for (const char* host :
             {"evil.example", "evil.example:8080", "localhost.evil.example",
              "127.0.0.1.evil.example", "10.0.0.1", "box.lan.evil", "alt.lan", "alt.lan:9001",
              "0.0.0.0", "[::2]", "evil-localhost", "1.localhos"}) {
            SCOPED_TRACE(std::string(way.method) + " " + way.path + " " + host);
            RawClient client(daemon_.port());
            const auto reply = client.request(way.method, way.path, way.body,
                                              {{"Host", host}, {"Origin", std::string(kPage)}});
            EXPECT_EQ(reply.status, 403);
            if (way.method != std::string_view("HEAD")) {
                expect_error(reply, shape_of(way.path), 403, "forbidden_host", "Host");
            }
        }
    }
    EXPECT_EQ(backend_.request_count(), 0U);
}

TEST_F(BrowserGate, OurOwnNamesAreServed) {
    for (const std::string& host :
         {std::string("localhost"), std::string("LOCALHOST:1234"), std::string("127.0.0.1"),
          std::string("127.9.9.9:80"), std::string("[::1]:8080"), std::string("[::1]"),
          std::string("app.localhost"), std::string("localhost."), std::string("box.lan"),
          std::string("Box.LAN:8080"), std::string("alt.lan:9000")}) {
        SCOPED_TRACE(host);
        const auto reply = support::http_get(daemon_.port(), "/healthz", {{"Host", host}});
        EXPECT_EQ(reply.status, 200);
    }
}

TEST_F(BrowserGate, AForeignPageIs403OnEveryRouteAndWithoutEffect) {
    const std::vector<Headers> pages{
        {{"Origin", "http://evil.example"}},
        {{"Origin", "null"}},
        {{"Origin", ""}},
        {{"Origin", "https://chat.example.evil"}},
        {{"Origin", "http://chat.example"}},
        {{"Origin", "https://chat.example:444"}},
        {{"Origin", "http://localhost.evil.example"}},
        {{"Origin", "http://localhost:80@evil.example"}},
        {{"Origin", "http://localhost@evil.example"}},
        {{"Origin", "http://[::1].evil.example"}},
        {{"Origin", "http://localhost/evil.example"}},
        {{"Origin", "http://127.0.0.1.evil.example"}},
        {{"Origin", "chrome-extension://abc"}},
        {{"Origin", "ftp://localhost"}},
        {{"Origin", "http://"}},
        {{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "same-origin"}},
        {{"Sec-Fetch-Site", "cross-site"}},
        {{"Sec-Fetch-Site", "Cross-Site"}},
        // what a page may send without a preflight
        {{"Origin", "http://evil.example"}, {"Content-Type", "text/plain"}},
    };
    for (const Way& way : kWays) {
        for (const Headers& page : pages) {
            SCOPED_TRACE(std::string(way.method) + " " + way.path + " " + page[0].first + ": " +
                         page[0].second);
            RawClient client(daemon_.port());
            const auto reply = client.request(way.method, way.path, way.body, page);
            EXPECT_EQ(reply.status, 403);
            EXPECT_FALSE(reply.has_header("Access-Control-Allow-Origin"));
            if (way.method == std::string_view("HEAD")) continue;
            expect_error(reply, shape_of(way.path), 403, "forbidden_origin",
                         page[0].first == "Origin" ? "Origin" : "Sec-Fetch-Site");
        }
    }
    EXPECT_EQ(backend_.request_count(), 0U);
}

TEST_F(BrowserGate, AllowedPagesMayReadEveryReply) {
    for (const char* origin :
         {"http://localhost", "http://localhost:3000", "https://127.0.0.1:8443",
          "http://[::1]:5173", "app://obsidian.md", "file://", "tauri://localhost",
          "vscode-webview://abc", "vscode-file://vscode-app", "https://chat.example",
          "http://app.localhost:1"}) {
        SCOPED_TRACE(origin);
        const Headers page{{"Origin", origin}, {"Sec-Fetch-Site", "cross-site"}};
        for (const auto& reply : {support::http_get(daemon_.port(), "/v1/models", page),
                                  support::http_get(daemon_.port(), "/nope", page),
                                  support::http_post(daemon_.port(), kChat, kChatBody, page),
                                  support::http_post(daemon_.port(), kChat, "{", page)}) {
            EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), origin);
            EXPECT_EQ(reply.header("Vary"), "Origin");
            EXPECT_FALSE(reply.has_header("Access-Control-Allow-Credentials"));
        }
    }
}

/// A page that may not read an error cannot tell its user what is wrong.
TEST_F(BrowserGate, AllowedPagesMayReadWhyTheirHeadIsRefused) {
    const std::string allowed = "Origin: " + std::string(kPage) + "\r\n";
    const std::string host = "Host: localhost\r\n";
    struct Case {
        std::string bytes;
        int status;
        bool readable;
    };
    const std::string get = "GET /v1/models HTTP/1.1\r\n";
    for (const Case& c :
         {Case{get + host + allowed + "X-Long: " + std::string(17000, 'v') + "\r\n\r\n", 431, true},
          Case{"GET /v1/models?" + std::string(9000, 'q') + " HTTP/1.1\r\n" + host + allowed +
                   "\r\n",
               414, true},
          Case{get + host + allowed + "Content-Length: +5\r\n\r\n", 400, true},
          Case{get + "Host: mybox\r\n" + allowed + "\r\n", 403, true},
          Case{get + host + "Origin: http://evil.example\r\nContent-Length: +5\r\n\r\n", 400,
               false},
          Case{get + host + allowed + allowed + "Content-Length: +5\r\n\r\n", 400, false},
          Case{get + host + "Origin: app://a\x01b\r\nContent-Length: 0\r\n\r\n", 400, false}}) {
        SCOPED_TRACE(c.bytes.substr(0, 120));
        RawClient client(daemon_.port());
        client.send(c.bytes);
        const auto reply = client.read_reply();
        EXPECT_EQ(reply.status, c.status);
        EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), c.readable ? kPage : "");
    }
}

TEST_F(BrowserGate, WhatIsGivenTwiceIsNotTakenForItsFirst) {
    RawClient pages(daemon_.port());
    auto reply =
        pages.get("/backends", {{"Origin", std::string(kPage)}, {"Origin", "http://evil.example"}});
    EXPECT_EQ(reply.status, 403);
    EXPECT_FALSE(reply.has_header("Access-Control-Allow-Origin"));
    RawClient coded(daemon_.port());
    reply = coded.post("/v1/chat/completions", "x",
                       {{"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}});
    EXPECT_EQ(reply.status, 415);
    EXPECT_EQ(backend_.request_count(), 0U);
}

TEST_F(BrowserGate, ProgramsThatSendNoOriginAreServed) {
    for (const char* site : {"same-origin", "none", "same-site"}) {
        EXPECT_EQ(
            support::http_post(daemon_.port(), kChat, kChatBody, {{"Sec-Fetch-Site", site}}).status,
            200);
    }
    const auto reply = support::http_post(daemon_.port(), kChat, kChatBody);
    EXPECT_EQ(reply.status, 200);
    EXPECT_FALSE(reply.has_header("Access-Control-Allow-Origin"));
    EXPECT_EQ(reply.header("Vary"), "Origin");
}

TEST_F(BrowserGate, TheGateIsAskedOfEachRequestOfAConnection) {
    RawClient client(daemon_.port());
    EXPECT_EQ(client.get("/healthz").status, 200);
    EXPECT_EQ(client.get("/healthz", {{"Host", "evil.example"}}).status, 403);
    EXPECT_EQ(client.get("/healthz", {{"Origin", "http://localhost"}}).status, 200);
    const auto plain = client.get("/healthz");
    EXPECT_FALSE(plain.has_header("Access-Control-Allow-Origin")) << "of the request before";
}

}  // namespace
}  // namespace ollama_proxy::front_end
