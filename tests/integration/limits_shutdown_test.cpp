// Row 35 at its edges: where in a stream the end of the grace finds it.

#include "front_end.hpp"

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

}  // namespace
}  // namespace ollama_proxy::front_end
