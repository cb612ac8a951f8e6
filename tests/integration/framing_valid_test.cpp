// What HTTP/1 allows must work: pipelining, any split, HTTP/1.0, Expect, trailers, HEAD, OPTIONS.

#include "front_end.hpp"

#include <atomic>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

std::string chat_request(const std::string& id, std::string_view more = {}) {
    const std::string body = R"({"model":"test-model","messages":["hi"],"user":")" + id + R"("})";
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: " + id +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) +
           "\r\n" + body;
}

/// Answers with the request's own id, so that mixed answers are seen.
ScriptedBackend::Script echoing() {
    return ScriptedBackend::answering([](Peer& peer, const RecordedRequest& request) {
        peer.reply(200, R"({"id":")" + request.header("X-Request-ID") + "\"}");
    });
}

class ValidFraming : public testing::Test {
  protected:
    void SetUp() override { daemon_.wait_until_healthy("a"); }

    ScriptedBackend backend_{echoing()};
    TestDaemon daemon_{support::config_yaml({support::backend_yaml("a", backend_.port())})};
};

TEST_F(ValidFraming, SixteenRequestsInOnePacketAreAnsweredInOrder) {
    std::string all;
    for (int i = 0; i < 16; ++i) {
        all += i % 4 == 3 ? "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: " +
                                std::to_string(i) + "\r\n\r\n"
                          : chat_request(std::to_string(i));
    }
    RawClient client(daemon_.port());
    client.send(all);
    for (int i = 0; i < 16; ++i) {
        const auto reply = client.read_reply("POST");
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.header("X-Request-ID"), std::to_string(i));
        EXPECT_EQ(reply.body, i % 4 == 3 ? "alive\n" : R"({"id":")" + std::to_string(i) + "\"}");
    }
    EXPECT_EQ(backend_.request_count(), 12U);
    // one after the other: a pipelining client has one exchange at a time
    EXPECT_EQ(backend_.requests().back().connection, backend_.requests().front().connection);
}

TEST_F(ValidFraming, EveryByteMayComeAlone) {
    const std::string chunked =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: c\r\n"
        "Transfer-Encoding: Chunked\r\n\r\n"
        "1B;x=\"y\"\r\n{\"model\":\"test-model\",\"mess\r\n000c\r\nages\":[\"x\"]}\r\n"
        "0\r\nX-Trailer: 1\r\n\r\n";
    RawClient client(daemon_.port());
    for (const std::string& request : {chat_request("l"), chunked, chat_request("m")}) {
        for (const char byte : request) client.send(std::string_view(&byte, 1));
        const auto reply = client.read_reply("POST");
        EXPECT_EQ(reply.status, 200) << reply.raw;
        EXPECT_EQ(reply.body, R"({"id":")" + reply.header("X-Request-ID") + "\"}");
    }
    const auto requests = backend_.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[1].body, R"({"model":"test-model","messages":["x"]})");
    EXPECT_EQ(requests[1].head.count("X-Trailer"), 0U);
}

TEST_F(ValidFraming, APacketMayEndAnywhere) {
    const std::string both = chat_request("one") + chat_request("two");
    for (std::size_t cut = 1; cut < both.size(); cut += 7) {
        SCOPED_TRACE(cut);
        RawClient client(daemon_.port());
        client.send(both.substr(0, cut));
        client.send(both.substr(cut));
        EXPECT_EQ(client.read_reply("POST").body, R"({"id":"one"})");
        EXPECT_EQ(client.read_reply("POST").body, R"({"id":"two"})");
    }
}

TEST_F(ValidFraming, Http10IsAnsweredAndClosed) {
    RawClient client(daemon_.port());
    client.send("GET /healthz HTTP/1.0\r\n\r\n");
    const auto reply = client.read_reply();
    EXPECT_EQ(reply.head.first_line, "HTTP/1.0 200 OK");
    EXPECT_EQ(reply.body, "alive\n");
    EXPECT_EQ(reply.header("Connection"), "close");
    client.wait_closed();
}

TEST_F(ValidFraming, Http10MayKeepItsConnection) {
    RawClient client(daemon_.port());
    for (int i = 0; i < 2; ++i) {
        client.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const auto reply = client.read_reply();
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.header("Connection"), "keep-alive");
    }
}

TEST_F(ValidFraming, AStreamForHttp10EndsWithTheConnectionAndHasNoChunks) {
    const std::string stream =
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"
        "data: [DONE]\n\n";
    backend_.set_script(ScriptedBackend::answering([stream](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked();
        peer.chunk(stream);
        peer.end_chunked();
    }));
    RawClient client(daemon_.port());
    const std::string body = R"({"model":"test-model","messages":["hi"],"stream":true})";
    client.send("POST /v1/chat/completions HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string all = client.read_to_end();
    EXPECT_TRUE(all.starts_with("HTTP/1.0 200 OK\r\n")) << all;
    EXPECT_EQ(all.find("Transfer-Encoding"), std::string::npos);
    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(all.substr(all.find("\r\n\r\n") + 4), stream);
}

TEST_F(ValidFraming, CloseIsHonoured) {
    for (const char* value : {"close", "Close", "keep-alive, close", "close,x"}) {
        SCOPED_TRACE(value);
        RawClient client(daemon_.port());
        const auto reply = client.get("/healthz", {{"Connection", value}});
        EXPECT_EQ(reply.header("Connection"), "close");
        client.wait_closed();
    }
    RawClient client(daemon_.port());
    EXPECT_FALSE(client.get("/healthz").has_header("Connection"));
    EXPECT_EQ(client.get("/healthz").status, 200);
}

TEST_F(ValidFraming, AnEmptyBodyLeavesTheConnectionOpen) {
    RawClient client(daemon_.port());
    for (int i = 0; i < 2; ++i) {
        const auto reply = client.get("/healthz", {{"Content-Length", "0"}});
        EXPECT_EQ(reply.status, 200);
        EXPECT_FALSE(reply.has_header("Connection"));
    }
}

TEST_F(ValidFraming, ExpectContinueIsAnsweredBeforeTheBody) {
    const std::string body(kChatBody);
    RawClient client(daemon_.port());
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: e\r\n"
        "Expect: 100-Continue\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n");
    EXPECT_EQ(client.read_raw_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(body);
    EXPECT_EQ(client.read_reply("POST").body, R"({"id":"e"})");
}

TEST_F(ValidFraming, WhatIsRefusedIsRefusedBeforeItIsUploaded) {
    for (const char* fields : {"Content-Encoding: gzip\r\nContent-Length: 9\r\n",
                               "Origin: http://evil.example\r\nContent-Length: 9\r\n",
                               "Content-Length: 999999999\r\n"}) {
        SCOPED_TRACE(fields);
        RawClient client(daemon_.port());
        client.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            "Expect: 100-continue\r\n" +
            std::string(fields) + "\r\n");
        const std::string all = client.read_to_end();
        EXPECT_TRUE(all.starts_with("HTTP/1.1 4")) << all;
        EXPECT_EQ(all.find("100 Continue"), std::string::npos);
    }
}

TEST_F(ValidFraming, AnAbsoluteTargetOfThisHostIsServed) {
    RawClient client(daemon_.port());
    const std::string host = "localhost:" + std::to_string(daemon_.port());
    for (const char* path : {"", "/", "?x=/v1/models", "/?a=b"}) {
        SCOPED_TRACE(path);
        client.send("GET http://" + host + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
        EXPECT_EQ(client.read_reply().body, "Ollama is running");
    }
    client.send("GET HTTP://LOCALHOST/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(client.read_reply().body, "alive\n");
}

TEST_F(ValidFraming, HeadHasTheHeadOfGetAndNoBody) {
    for (const char* path :
         {"/", "/healthz", "/readyz", "/health", "/backends", "/v1/models", "/v1/models/test-model",
          "/api/tags", "/api/ps", "/api/version", "/v1/models/none"}) {
        SCOPED_TRACE(path);
        RawClient client(daemon_.port());
        const auto head = client.request("HEAD", path);
        const auto get = client.get(path);
        EXPECT_EQ(head.status, get.status);
        EXPECT_EQ(head.header("Content-Type"), get.header("Content-Type"));
        EXPECT_EQ(head.header("Content-Length"), get.header("Content-Length"));
        EXPECT_TRUE(head.body.empty());
    }
}

TEST_F(ValidFraming, APreflightIs204AndEchoesWhatWasAsked) {
    const std::string asked =
        "authorization, content-type, x-api-key, anthropic-version, x-stainless-os, "
        "x-target-backend";
    RawClient client(daemon_.port());
    for (const char* path : {"/v1/chat/completions", "/api/chat", "/api/delete", "/nope", "*"}) {
        SCOPED_TRACE(path);
        const auto reply = client.request("OPTIONS", path, {},
                                          {{"Origin", std::string(kPage)},
                                           {"Access-Control-Request-Method", "POST"},
                                           {"Access-Control-Request-Headers", asked},
                                           {"Access-Control-Request-Private-Network", "true"}});
        EXPECT_EQ(reply.status, 204);
        EXPECT_TRUE(reply.body.empty());
        EXPECT_FALSE(reply.has_header("Content-Length"));
        EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), kPage);
        EXPECT_EQ(reply.header("Access-Control-Allow-Headers"), asked);
        EXPECT_EQ(reply.header("Access-Control-Allow-Private-Network"), "true");
        EXPECT_FALSE(reply.has_header("Access-Control-Allow-Credentials"));
        EXPECT_NE(reply.header("Vary").find("Origin"), std::string::npos);
        EXPECT_EQ(reply.header("Allow"), reply.header("Access-Control-Allow-Methods"));
    }
    const auto chat = client.request("OPTIONS", "/api/chat");
    EXPECT_EQ(chat.header("Allow"), "POST, OPTIONS");
    EXPECT_FALSE(chat.has_header("Access-Control-Allow-Origin"));
}

/// Rows 24 and 31: what a backend sends beyond its answer is nobody's answer.
TEST_F(ValidFraming, BytesBehindABackendsAnswerReachNobody) {
    backend_.set_script([](Peer& peer) {
        const auto request = peer.read_request();
        const std::string body = R"({"id":")" + request.header("X-Request-ID") + "\"}";
        // in one packet: what comes later cannot be told from an answer to the next request
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body +
                  "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        (void)peer.wait_closed();
    });
    RawClient client(daemon_.port());
    client.send(chat_request("1") + chat_request("2") + chat_request("3"));
    for (const char* id : {"1", "2", "3"}) {
        EXPECT_EQ(client.read_reply("POST").body, R"({"id":")" + std::string(id) + "\"}");
    }
    EXPECT_TRUE(backend_.failures().empty());
}

/// 204 and 304 have no body, so no length and no last chunk either: a client would take them for
/// the next answer.
TEST_F(ValidFraming, AnAnswerWithoutABodyHasNoFraming) {
    std::atomic<int> status = 0;
    backend_.set_script(ScriptedBackend::answering([&status](Peer& peer, const RecordedRequest&) {
        peer.send("HTTP/1.1 " + std::to_string(status) + " X\r\n\r\n");
    }));
    for (const int next : {204, 304}) {
        status = next;
        for (const char* path : {"/v1/chat/completions", "/api/copy"}) {
            SCOPED_TRACE(std::string(path) + " " + std::to_string(next));
            RawClient client(daemon_.port());
            client.send_request("POST", path, kChatBody);
            client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            const std::string all = client.read_to_end();
            EXPECT_TRUE(all.starts_with("HTTP/1.1 " + std::to_string(next))) << all;
            const std::size_t end = all.find("\r\n\r\n");
            const std::string head = all.substr(0, end);
            EXPECT_EQ(head.find("Content-Length"), std::string::npos) << all;
            EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos) << all;
            EXPECT_TRUE(all.substr(end + 4).starts_with("HTTP/1.1 200 OK")) << all;
        }
    }
    backend_.stop();
}

/// Row 30: a FIN behind the request is leaving.
TEST_F(ValidFraming, AClientThatHalfClosesHasLeft) {
    backend_.set_script(ScriptedBackend::answering(
        [](Peer& peer, const RecordedRequest&) { (void)peer.wait_closed(); }));
    RawClient client(daemon_.port());
    client.send(chat_request("gone"));
    (void)backend_.wait_for_requests(1);
    client.half_close();
    EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace ollama_proxy::front_end
