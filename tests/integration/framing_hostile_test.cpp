// "Hostile input" 1 against the live port. The judge is the backend: what was refused, and what
// was smuggled behind it, must never arrive there.

#include "front_end.hpp"

#include <vector>

namespace ollama_proxy::front_end {
namespace {

/// What a smuggler wants to get through: a request of its own.
const std::string kSmuggled =
    "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 41\r\n\r\n"
    R"({"model":"test-model","messages":["s"]}  )";

std::string post(std::string_view fields, std::string_view body = {}) {
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) +
           "\r\n" + std::string(body);
}

struct Hostile {
    const char* name;
    std::string bytes;
    int status = 400;
};

std::vector<Hostile> hostile_heads() {
    const std::string json(kChatBody);
    const std::string length = "Content-Length: " + std::to_string(json.size()) + "\r\n";
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    std::vector<Hostile> all{
        {"length and chunked", post(length + chunked, json)},
        {"chunked and length", post(chunked + length, "0\r\n\r\n")},
        {"chunked and length 0", post(chunked + "Content-Length: 0\r\n", json)},
        {"two equal lengths", post(length + length, json)},
        {"two lengths", post(length + "Content-Length: 5\r\n", json)},
        {"a list of lengths", post("Content-Length: 40, 40\r\n", json)},
        {"signed length", post("Content-Length: +40\r\n", json)},
        {"negative length", post("Content-Length: -1\r\n", json)},
        {"hex length", post("Content-Length: 0x28\r\n", json)},
        {"fractional length", post("Content-Length: 40.0\r\n", json)},
        {"empty length", post("Content-Length:\r\n", json)},
        {"length with a blank inside", post("Content-Length: 4 0\r\n", json)},
        {"length over 64 bits", post("Content-Length: 18446744073709551654\r\n", json)},
        {"length over 63 bits", post("Content-Length: 9223372036854775808\r\n", json)},
        {"chunked twice", post(chunked + chunked, "0\r\n\r\n")},
        {"chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
        {"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
        {"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
        {"identity", post("Transfer-Encoding: identity\r\n")},
        {"xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
        {"chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")},
        {"chunked with a parameter", post("Transfer-Encoding: chunked;x=1\r\n", "0\r\n\r\n")},
        {"vertical tab before chunked", post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n")},
        {"empty transfer encoding", post("Transfer-Encoding:\r\n", "0\r\n\r\n")},
        {"blank before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
        {"blank before a name", post(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"tab before the colon", post("Content-Length\t: 5\r\n", json)},
        {"folded line", post("X-A: 1\r\n Content-Length: 5\r\n", json)},
        {"folded transfer encoding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
        {"bare LF after a field", post("X-A: 1\nContent-Length: 5\r\n", json)},
        {"bare CR in a value", post("X-A: 1\rContent-Length: 5\r\n", json)},
        {"NUL in a value", post(std::string("X-A: 1\0002\r\n", 11), json)},
        {"control byte in a value", post("X-A: \x01\r\n", json)},
        {"DEL in a value", post("X-A: \x7f\r\n", json)},
        {"NUL in a name", post(std::string("X\0A: 1\r\n", 8), json)},
        {"parenthesis in a name", post("X(A: 1\r\n", json)},
        {"no colon", post("just text\r\n", json)},
        {"no name", post(": 1\r\n", json)},
        {"name in UTF-8", post("Content-L\xC3\xA4ngth: 5\r\n", json)},
        {"no Host", "POST /v1/chat/completions HTTP/1.1\r\n\r\n"},
        {"two Hosts", post("Host: localhost\r\n")},
        {"Host with user", "GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n"},
        {"Host with path", "GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n"},
        {"Host with blank", "GET / HTTP/1.1\r\nHost: local host\r\n\r\n"},
        {"Host with a list", "GET / HTTP/1.1\r\nHost: localhost, evil\r\n\r\n"},
        {"Host with a bad port", "GET / HTTP/1.1\r\nHost: localhost:99999\r\n\r\n"},
        {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        {"chunked with HTTP/1.0",
         "POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\n" + chunked + "\r\n0\r\n\r\n"},
        {"bare LF after the request line",
         "POST /v1/chat/completions HTTP/1.1\nHost: localhost\r\n\r\n"},
        {"bare LF everywhere", "POST /v1/chat/completions HTTP/1.1\nHost: localhost\n\n"},
        {"two blanks in the request line",
         "POST  /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"blank in the target", "POST /v1/chat completions HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"blank before the method", " GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"two empty lines before the request", "\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"HTTP/0.9", "GET /\r\n"},
        {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"},
        {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: localhost\r\n\r\n"},
        {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: localhost\r\n\r\n"},
        {"lower-case http", "GET / http/1.1\r\nHost: localhost\r\n\r\n"},
        {"the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {"a TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
        {"control byte in the target", "GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"target without a slash", "GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"another host in the target",
         "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"another scheme in the target",
         "GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"user in the target",
         "GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"over 100 fields",
         [] {
             std::string fields;
             for (int i = 0; i < 100; ++i) fields += "X-A: 1\r\n";
             return post(fields);
         }(),
         431},
    };
    return all;
}

class HostileFraming : public testing::Test {
  protected:
    ScriptedBackend backend_{ScriptedBackend::answering_json("{}")};
    TestDaemon daemon_{support::config_yaml({support::backend_yaml("a", backend_.port())})};
};

TEST_F(HostileFraming, BadHeadsAreRefusedAndNothingBehindThemIsServed) {
    daemon_.wait_until_healthy("a");
    for (const Hostile& hostile : hostile_heads()) {
        SCOPED_TRACE(hostile.name);
        RawClient client(daemon_.port());
        client.send(hostile.bytes + kSmuggled);
        const auto reply = client.read_reply("POST");
        EXPECT_EQ(reply.status, hostile.status) << reply.raw;
        EXPECT_EQ(reply.header("Connection"), "close");
        const auto body = nlohmann::json::parse(reply.body, nullptr, false);
        EXPECT_TRUE(body.is_object() && body.contains("error")) << reply.body;
        EXPECT_EQ(client.read_to_end(), "") << "a second answer";
        ASSERT_EQ(backend_.request_count(), 0U);
    }
}

/// The same through a second request on a connection that has served a good one.
TEST_F(HostileFraming, AGoodRequestBeforeDoesNotOpenTheDoor) {
    daemon_.wait_until_healthy("a");
    const std::string good =
        post("Content-Length: " + std::to_string(kChatBody.size()) + "\r\n", kChatBody);
    std::size_t served = 0;
    for (const Hostile& hostile : hostile_heads()) {
        SCOPED_TRACE(hostile.name);
        // one empty line before a request is legal, and kept by some clients
        if (hostile.bytes.starts_with("\r\n")) continue;
        RawClient client(daemon_.port());
        client.send(good + hostile.bytes + kSmuggled);
        EXPECT_EQ(client.read_reply("POST").status, 200);
        EXPECT_EQ(client.read_reply("POST").status, hostile.status);
        EXPECT_EQ(client.read_to_end(), "");
        ASSERT_EQ(backend_.request_count(), ++served);
    }
}

TEST_F(HostileFraming, BadChunksAreRefusedAndNothingBehindThemIsServed) {
    daemon_.wait_until_healthy("a");
    const std::string json(kChatBody);
    const std::string data = json + "\r\n0\r\n\r\n";  // 28 hex, 40 decimal
    ASSERT_EQ(json.size(), 0x28U);
    for (const Hostile& hostile : std::vector<Hostile>{
             {"size with 0x", "0x28\r\n" + data},
             {"signed size", "+28\r\n" + data},
             {"negative size", "-28\r\n" + data},
             {"blank before the size", " 28\r\n" + data},
             {"blank after the size", "28 \r\n" + data},
             {"no size", "\r\n" + data},
             {"no digit", "xyz\r\n" + data},
             {"size over 64 bits", "10000000000000028\r\n" + data},
             {"size line over 18", std::string(17, '0') + "28\r\n" + data},
             {"bare LF after the size", "28\n" + data},
             {"bare CR after the size", "28\r" + data},
             {"extension over 256", "28;" + std::string(257, 'x') + "\r\n" + data},
             {"LF in an extension", "28;a\nb\r\n" + data},
             {"NUL in an extension", std::string("28;a\0b\r\n", 8) + data},
             {"chunk longer than its size", "27\r\n" + data},
             {"chunk shorter than its size", "2A\r\n" + json + "\r\n0\r\n\r\n"},
             {"bare LF after the data", "28\r\n" + json + "\n0\r\n\r\n"},
             {"no line end after the data", "28\r\n" + json + "0\r\n\r\n"},
             {"bare LF at the end", "28\r\n" + json + "\r\n0\r\n\n"},
             {"trailers over 8 KiB",
              "28\r\n" + json + "\r\n0\r\nX-T: " + std::string(9000, 't') + "\r\n\r\n"},
             {"bare LF in a trailer", "28\r\n" + json + "\r\n0\r\nX-T: 1\nX: 2\r\n\r\n"},
         }) {
        SCOPED_TRACE(hostile.name);
        RawClient client(daemon_.port());
        client.send(post("Transfer-Encoding: chunked\r\n", hostile.bytes) + kSmuggled);
        const auto reply = client.read_reply("POST");
        expect_error(reply, Shape::openai, 400, "invalid_request");
        EXPECT_EQ(reply.header("Connection"), "close");
        EXPECT_EQ(client.read_to_end(), "") << "a second answer";
        ASSERT_EQ(backend_.request_count(), 0U);
    }
}

/// What one parser takes for a body and another for a request: with an honest length it is a body.
TEST_F(HostileFraming, ARequestInsideABodyIsABody) {
    daemon_.wait_until_healthy("a");
    const std::string body =
        R"({"model":"test-model","messages":["hi"],"x":"\r\n\r\n"})" + std::string("\r\n\r\n");
    RawClient client(daemon_.port());
    const auto reply = client.post(kChat, body);
    EXPECT_EQ(reply.status, 200);
    ASSERT_EQ(backend_.request_count(), 1U);
    EXPECT_EQ(backend_.requests()[0].body, body);
    // a refused request whose body is a request: the body is not served either
    client.send(post(
        "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(kSmuggled.size()) + "\r\n",
        kSmuggled));
    EXPECT_EQ(client.read_reply("POST").status, 415);
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_EQ(backend_.request_count(), 1U);
}

/// A body on a route that takes none must not become the next request.
TEST_F(HostileFraming, ABodyOnAGetIsNotTheNextRequest) {
    daemon_.wait_until_healthy("a");
    for (const char* line : {"GET /healthz", "GET /v1/models", "HEAD /", "GET /nope",
                             "OPTIONS /api/chat", "PUT /api/chat"}) {
        SCOPED_TRACE(line);
        RawClient client(daemon_.port());
        client.send(std::string(line) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                    std::to_string(kSmuggled.size()) + "\r\n\r\n" + kSmuggled);
        const auto reply = client.read_reply(line[0] == 'H' ? "HEAD" : "GET");
        EXPECT_EQ(reply.header("Connection"), "close");
        EXPECT_EQ(client.read_to_end(), "");
        EXPECT_EQ(backend_.request_count(), 0U);
    }
}

TEST_F(HostileFraming, TheUpstreamRequestIsMadeAnewWithItsOwnFraming) {
    daemon_.wait_until_healthy("a");
    RawClient client(daemon_.port());
    client.send(
        "POST /v1/chat/completions?api_key=secret HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: keep-alive, X-Custom\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n"
        "TE: trailers\r\nTrailer: X-T\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
        "Proxy-Authorization: Basic eDp5\r\nCookie: session=1\r\nX-Custom: 1\r\n"
        "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Target-Backend: a\r\n"
        "X-Priority: high\r\nX-Session-ID: s\r\nX-Original-URL: /api/delete\r\n"
        "Origin: http://localhost:3000\r\nReferer: http://localhost:3000/secret\r\n"
        "Accept-Encoding: gzip, br\r\nExpect: nothing\r\nRange: bytes=0-1\r\n"
        "Content-Type: application/json\r\nX-Request-ID: mine\r\nOpenAI-Beta: assistants=v2\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "10;name=value\r\n{\"model\":\"test-m\r\n1A\r\nodel\",\"messages\":[\"hi\"]}  \r\n"
        "0\r\nContent-Length: 9999\r\nX-T: 1\r\n\r\n");
    EXPECT_EQ(client.read_reply("POST").status, 200);
    ASSERT_EQ(backend_.request_count(), 1U);
    const RecordedRequest request = backend_.requests()[0];
    EXPECT_EQ(request.target, "/v1/chat/completions");
    EXPECT_EQ(request.body, R"({"model":"test-model","messages":["hi"]}  )");
    EXPECT_EQ(request.header("Content-Length"), std::to_string(request.body.size()));
    EXPECT_EQ(request.header("Host"), "127.0.0.1:" + std::to_string(backend_.port()));
    EXPECT_EQ(request.header("Accept-Encoding"), "identity");
    EXPECT_EQ(request.header("X-Request-ID"), "mine");
    EXPECT_EQ(request.header("OpenAI-Beta"), "assistants=v2");
    EXPECT_EQ(request.header("Content-Type"), "application/json");
    for (const char* name : {"Transfer-Encoding",
                             "Keep-Alive",
                             "Proxy-Connection",
                             "TE",
                             "Trailer",
                             "Upgrade",
                             "HTTP2-Settings",
                             "Proxy-Authorization",
                             "Cookie",
                             "X-Custom",
                             "X-Forwarded-For",
                             "Forwarded",
                             "X-Target-Backend",
                             "X-Priority",
                             "X-Session-ID",
                             "X-Original-URL",
                             "Origin",
                             "Referer",
                             "Expect",
                             "Range",
                             "X-T"}) {
        EXPECT_EQ(request.head.count(name), 0U) << name;
    }
}

}  // namespace
}  // namespace ollama_proxy::front_end
