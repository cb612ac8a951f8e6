// Row 35 at its edges: where in a stream the end of the grace finds it.

#include "front_end.hpp"
#include "metric_growth.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"
#include "ollama_proxy/telemetry/log.hpp"

namespace ollama_proxy::front_end {
namespace {

constexpr std::string_view kStreamBody =
    R"({"model":"test-model","messages":["hi"],"stream":true})";

/// Sends these bytes of a stream and then nothing more.
ScriptedBackend::Script stopping_after(std::string type, std::string bytes) {
    return ScriptedBackend::answering([type, bytes](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked(type);
        peer.chunk(bytes);
        (void)peer.wait_closed();
    });
}

HttpReply rest_after_stop(TestDaemon& daemon, const char* path, std::size_t wanted) {
    RawClient client(daemon.port());
    client.send_request("POST", path, kStreamBody);
    auto reply = client.begin_reply("POST");
    while (reply.body.size() < wanted && client.read_piece(reply)) {
    }
    daemon.stop();
    while (client.read_piece(reply)) {
    }
    EXPECT_FALSE(reply.clean_end) << "a cut stream that looks complete";
    return reply;
}

TEST(Shutdown, AStreamBetweenTwoEventsEndsWithAnErrorOfItsDialect) {
    struct Case {
        const char* path;
        const char* type;
        const char* piece;
        const char* error;
        const char* end;
    };
    for (const Case& c :
         {Case{"/v1/chat/completions", "text/event-stream",
               "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\r\n\r\n",
               "data: {\"error\":{", "}}\n\n"},
          Case{"/v1/messages", "text/event-stream", "event: ping\ndata: {\"type\":\"ping\"}\n\n",
               "event: error\ndata: {\"type\":\"error\"", "}}\n\n"},
          Case{"/api/chat", "application/x-ndjson",
               "{\"message\":{\"content\":\"x\"},\"done\":false}\n", "{\"error\":\"", "\"}\n"}}) {
        SCOPED_TRACE(c.path);
        ScriptedBackend backend(stopping_after(c.type, c.piece));
        TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
        wait_until_known(daemon, "a");
        const std::string piece = c.piece;
        const auto reply = rest_after_stop(daemon, c.path, piece.size());
        EXPECT_TRUE(reply.body.starts_with(piece + c.error)) << reply.body;
        EXPECT_TRUE(reply.body.ends_with(c.end)) << reply.body;
    }
}

/// An event too long to be held goes on in pieces: an error put into it would be part of it.
TEST(Shutdown, AStreamInTheMiddleOfAnEventIsCutAndNothingIsPutIntoIt) {
    struct Case {
        const char* path;
        const char* type;
        std::string begin;
    };
    for (const Case& c :
         {Case{"/v1/chat/completions", "text/event-stream",
               "data: {\"choices\":[{\"delta\":{\"content\":\""},
          Case{"/api/chat", "application/x-ndjson", "{\"message\":{\"content\":\""}}) {
        SCOPED_TRACE(c.path);
        const std::string bytes = c.begin + std::string(300000, 'x');
        ScriptedBackend backend(stopping_after(c.type, bytes));
        TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
        wait_until_known(daemon, "a");
        const auto reply = rest_after_stop(daemon, c.path, 200000);
        EXPECT_GE(reply.body.size(), 200000U);
        EXPECT_TRUE(bytes.starts_with(reply.body)) << reply.body.substr(reply.body.size() - 200);
    }
}

/// Half a chunk is on its way to a reader that does not read: no event fits between.
TEST(Shutdown, AStreamWhoseReaderIsSlowIsCutWithoutMixing) {
    const std::string event =
        "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(30000, 'x') + "\"}}]}\n\n";
    ScriptedBackend backend(
        ScriptedBackend::answering([&event](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked();
            for (;;) peer.chunk(event);
        }));
    TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    wait_until_known(daemon, "a");
    RawClient client(daemon.port());
    client.send_request("POST", kChat, kStreamBody);
    auto reply = client.begin_reply("POST");
    EXPECT_TRUE(client.read_until(reply, "}\n\n"));
    daemon.stop(support::Milliseconds(50));  // until then the connection is full
    while (client.read_piece(reply)) {
    }
    EXPECT_FALSE(reply.clean_end);
    std::string expected;
    while (expected.size() < reply.body.size()) expected += event;
    const std::size_t error = reply.body.find("data: {\"error\"");
    const std::string_view told = std::string_view(reply.body).substr(0, error);
    EXPECT_TRUE(expected.starts_with(told));
    if (error != std::string::npos) {
        EXPECT_EQ(told.size() % event.size(), 0U);
    }
}

/// Where the end of the grace finds a request that has no answer yet.
struct Unanswered {
    const char* name;
    const char* path;
    bool head_came;  ///< of the backend's answer
    bool body_came;  ///< of the client
    const char* backend = "a";
};

/// The client's part: it has sent what it will send, and the daemon has taken it.
void ask(RawClient& client, const ScriptedBackend& backend, const Unanswered& c) {
    const Headers headers{{"X-Request-ID", "cut-by-stop"}};
    if (c.body_came) {
        client.send_request("POST", c.path, kStreamBody, headers);
        (void)backend.wait_for_requests(1);
        return;
    }
    client.send("POST " + std::string(c.path) +
                " HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: cut-by-stop\r\n"
                "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_NE(client.read_raw_until("\r\n\r\n").find(" 100 "), std::string::npos);
}

/// Runs one to its end and returns what the daemon logged meanwhile.
std::string log_of(const Unanswered& c) {
    testing::internal::CaptureStderr();
    telemetry::start_logging({});
    telemetry::start_access_log();
    {
        ScriptedBackend backend(
            ScriptedBackend::answering([&c](Peer& peer, const RecordedRequest&) {
                if (c.head_came) peer.begin_chunked();
                (void)peer.wait_closed();
            }));
        TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
        wait_until_known(daemon, "a");
        RawClient client(daemon.port());
        ask(client, backend, c);
        daemon.stop(support::Milliseconds(100));
        const auto reply = client.read_reply("POST");
        expect_error(reply, shape_of(c.path), 503, "shutting_down");
        EXPECT_EQ(reply.header("Connection"), "close");
        EXPECT_EQ(reply.header("X-Backend-Used"), c.backend);
        EXPECT_TRUE(reply.clean_end);
    }
    telemetry::stop_access_log();
    telemetry::stop_logging();
    return testing::internal::GetCapturedStderr();
}

TEST(Shutdown, ARequestWithoutAnAnswerIs503AndIsNoted) {
    const TestDaemon other(support::config_yaml({}));  // its page shows what all of them count
    for (const Unanswered& c :
         {Unanswered{"no head of the answer", "/v1/chat/completions", false, true},
          Unanswered{"no byte behind the head", "/api/chat", true, true},
          Unanswered{"model management", "/api/pull", false, true},
          Unanswered{"its progress without a line", "/api/push", true, true},
          Unanswered{"half an upload", "/v1/messages", false, false, ""},
          Unanswered{"a blob without a byte", "/api/blobs/sha256:aa", false, false}}) {
        SCOPED_TRACE(c.name);
        const support::Growth growth(other);
        const std::string log = log_of(c);
        const std::size_t at = log.find("cut-by-stop");
        ASSERT_NE(at, std::string::npos) << log;
        EXPECT_EQ(log.find("cut-by-stop", at + 1), std::string::npos) << "noted twice: " << log;
        const std::size_t begin = log.rfind('\n', at) + 1;
        const std::string line = log.substr(begin, log.find('\n', at) - begin);
        EXPECT_NE(line.find("503"), std::string::npos) << line;
        EXPECT_NE(line.find("shutting_down"), std::string::npos) << line;
        EXPECT_EQ(growth.of("ollama_proxy_http_requests_total", {{"code", "503"}}), 1);
        EXPECT_EQ(growth.of("ollama_proxy_refusals_total", {{"reason", "shutting_down"}}), 1);
    }
}

TEST(Shutdown, AStreamThatIsCutIsNoted) {
    const TestDaemon other(support::config_yaml({}));
    const support::Growth growth(other);
    ScriptedBackend backend(stopping_after("text/event-stream", "data: {\"choices\":[]}\n\n"));
    TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    wait_until_known(daemon, "a");
    (void)rest_after_stop(daemon, "/v1/chat/completions", 10);
    EXPECT_EQ(growth.of("ollama_proxy_http_requests_total",
                        {{"route", "/v1/chat/completions"}, {"code", "200"}}),
              1);
}

}  // namespace
}  // namespace ollama_proxy::front_end
