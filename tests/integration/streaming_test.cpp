// Streams: piece by piece, byte for byte, and never a cut that looks complete.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::chat_body;
using support::delta;
using support::Dialect;
using support::dialects;
using support::kChat;
using support::kDone;
using support::kFinish;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::streaming;

TEST(Streaming, EachPieceReachesTheClientBeforeTheNextLeavesTheBackend) {
    for (const Dialect& dialect : dialects()) {
        SCOPED_TRACE(dialect.path);
        std::vector<std::string> events;
        for (std::size_t begin = 0; begin < dialect.stream.size();) {
            const std::size_t end = dialect.stream.find(dialect.separator, begin);
            events.push_back(dialect.stream.substr(begin, end + dialect.separator.size() - begin));
            begin = end + dialect.separator.size();
        }
        std::promise<Peer*> arrived;
        std::promise<void> over;
        Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked(dialect.type);
            arrived.set_value(&peer);  // from now on the test writes
            over.get_future().wait_for(support::kPatience);
        })});
        RawClient client(chain.port());
        client.send_request("POST", dialect.path, chat_body(true));
        Peer& peer = *arrived.get_future().get();
        peer.chunk(events[0]);
        auto reply = client.begin_reply("POST");
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.header("Cache-Control"), "no-cache");
        EXPECT_EQ(reply.header("X-Accel-Buffering"), "no");
        std::string seen;
        for (const std::string& event : events) {
            if (!seen.empty()) peer.chunk(event);
            seen += event;
            while (reply.body.size() < seen.size()) ASSERT_TRUE(client.read_piece(reply));
            EXPECT_EQ(reply.body, seen);
        }
        peer.end_chunked();
        EXPECT_FALSE(client.read_piece(reply));
        EXPECT_TRUE(reply.clean_end);
        over.set_value();
    }
}

TEST(Streaming, ABackendThatCutsAnywhereBetweenTwoBytesGivesTheSameStream) {
    for (const Dialect& dialect : dialects()) {
        SCOPED_TRACE(dialect.path);
        std::atomic<std::size_t> cut{0};
        Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked(dialect.type);
            peer.chunk(dialect.stream.substr(0, cut));
            peer.chunk(dialect.stream.substr(cut));
            peer.end_chunked();
        })});
        RawClient client(chain.port());
        for (cut = 1; cut < dialect.stream.size(); ++cut) {
            const auto reply = client.post(dialect.path, chat_body(true));
            ASSERT_EQ(reply.body, dialect.stream) << "cut at " << cut;
            ASSERT_TRUE(reply.clean_end);
            for (const auto& piece : reply.pieces) {
                ASSERT_TRUE(piece.bytes.ends_with(dialect.separator))
                    << "part of an event was passed on: " << piece.bytes;
            }
        }
        EXPECT_EQ(chain[0].connection_count() - chain[0].probe_count(), 1U) << "keep-alive";
    }
}

TEST(Streaming, CarriageReturnsMayBeCutAnywhereToo) {
    const std::string stream =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n"
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\r\n\r\n"
        "data: [DONE]\r\n\r\n";
    std::atomic<std::size_t> cut{0};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked();
        peer.chunk(stream.substr(0, cut));
        peer.chunk(stream.substr(cut));
        peer.end_chunked();
    })});
    RawClient client(chain.port());
    for (cut = 1; cut < stream.size(); ++cut) {
        ASSERT_EQ(client.post(kChat, chat_body(true)).body, stream) << "cut at " << cut;
    }
}

TEST(Streaming, AStreamThatDiesAnywhereNeverLooksComplete) {
    for (const Dialect& dialect : dialects()) {
        SCOPED_TRACE(dialect.path);
        std::atomic<std::size_t> cut{0};
        std::atomic<int> kind{0};
        Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked(dialect.type);
            peer.chunk(dialect.stream.substr(0, cut));
            if (kind == 0) peer.close();
            if (kind == 1) peer.end_chunked();  // cleanly, but the dialect has no end
            if (kind == 2) {
                peer.send("5\r\nab");  // and in the middle of a chunk
                peer.close();
            }
        })});
        const std::size_t last = dialect.stream.rfind(
            dialect.separator, dialect.stream.size() - dialect.separator.size() - 1);
        for (kind = 0; kind < 3; ++kind) {
            for (cut = 1; cut < last; cut += 3) {
                SCOPED_TRACE(testing::Message() << "kind " << kind << " cut at " << cut);
                const auto reply = chain.post(chat_body(true), {}, dialect.path);
                const std::string sent = dialect.stream.substr(0, cut);
                const std::size_t whole = sent.rfind(dialect.separator);
                if (whole == std::string::npos) {  // nothing was committed
                    ASSERT_EQ(reply.status, 502) << reply.body;
                    ASSERT_TRUE(reply.clean_end);
                    continue;
                }
                ASSERT_EQ(reply.status, 200);
                ASSERT_FALSE(reply.clean_end);
                const std::string expected = sent.substr(0, whole + dialect.separator.size());
                const bool openai_done = reply.body.find("[DONE]\n") != std::string::npos;
                ASSERT_FALSE(openai_done);
                ASSERT_TRUE(reply.body.starts_with(expected)) << reply.body;
                const std::string rest = reply.body.substr(expected.size());
                const std::size_t error = rest.find(dialect.error_begin);
                ASSERT_NE(error, std::string::npos) << reply.body;
                ASSERT_TRUE(rest.ends_with(dialect.separator)) << reply.body;
                ASSERT_EQ(rest.substr(0, error).find_first_not_of("\r\n"), std::string::npos)
                    << "the error must be an event of its own: " << reply.body;
            }
        }
        EXPECT_GT(chain.count("a", "failures"), 10);
    }
}

TEST(Streaming, DoneIsAddedOnceAndOnlyWhereItBelongs) {
    struct Case {
        std::string_view path;
        std::string stream;
        std::string expected;
    };
    const std::string bare = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}";
    const std::vector<Case> cases{
        {kChat, delta("x") + kFinish, delta("x") + kFinish + kDone},
        {kChat, delta("x") + kFinish + kDone, delta("x") + kFinish + kDone},
        {kChat, delta("x") + bare, delta("x") + bare + "\n\n" + kDone},
        {kChat, delta("x") + bare + "\n", delta("x") + bare + "\n\n" + kDone},
        {kChat, bare, bare + "\n\n" + kDone},
        {"/v1/completions", "data: {\"choices\":[{\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\n",
         "data: {\"choices\":[{\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\n" + kDone},
        {"/v1/messages", "data: {\"type\":\"message_stop\"}\n\n",
         "data: {\"type\":\"message_stop\"}\n\n"},
        {"/v1/responses", "data: {\"type\":\"response.completed\"}\n\n",
         "data: {\"type\":\"response.completed\"}\n\n"},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.stream);
        Chain chain({streaming("text/event-stream", {one.stream})});
        const std::string body =
            R"({"model":"test-model","messages":[{"role":"user","content":"x"}],"prompt":"x","input":"x","max_tokens":1,)"
            R"("stream":true})";
        const auto reply = chain.post(body, {}, one.path);
        EXPECT_EQ(reply.body, one.expected);
        EXPECT_TRUE(reply.clean_end);
        EXPECT_EQ(chain.count("a", "failures"), 0);
    }
}

TEST(Streaming, LongEventsGoOnInPiecesAndAreWhole) {
    for (const std::size_t size : {60'000U, 70'000U, 300'000U, 2'000'000U}) {
        const std::string stream = delta(std::string(size, 'x')) + kFinish + kDone;
        std::vector<std::string> chunks;
        for (std::size_t i = 0; i < stream.size(); i += 10'007) {
            chunks.push_back(stream.substr(i, 10'007));
        }
        Chain chain({streaming("text/event-stream", chunks)});
        const auto reply = chain.post(chat_body(true));
        EXPECT_EQ(reply.body.size(), stream.size());
        EXPECT_TRUE(reply.body == stream);
        EXPECT_TRUE(reply.clean_end);
    }
}

TEST(Streaming, ACutInsideALongEventIsAPlainCut) {
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked();
        peer.chunk(delta("x") + delta(std::string(200'000, 'y')).substr(0, 150'000));
        peer.close();
    })});
    const auto reply = chain.post(chat_body(true));
    EXPECT_EQ(reply.status, 200);
    EXPECT_FALSE(reply.clean_end);
    EXPECT_EQ(reply.body.find("error"), std::string::npos) << "it would be read as text";
    EXPECT_EQ(reply.body.find("[DONE]"), std::string::npos);
}

TEST(Streaming, AnErrorAsTheFirstEventBecomesTheStatusThatWasMeant) {
    const std::string error =
        "data: {\"error\":{\"message\":\"too long\",\"code\":400,\"type\":\"x\"}}\n\n";
    for (const std::string& rest : {std::string(), kDone}) {
        Chain alone({streaming("text/event-stream", {error + rest})});
        const auto reply = alone.post(chat_body(true));
        EXPECT_EQ(reply.status, 400) << reply.raw;
        EXPECT_EQ(reply.header("Content-Type"), "application/json");
        EXPECT_NE(reply.body.find("too long"), std::string::npos) << reply.body;
        EXPECT_TRUE(reply.clean_end);
        EXPECT_EQ(alone.count("a", "failures"), 1);
    }
    Chain two({streaming("text/event-stream", {error}),
               streaming("text/event-stream", {delta("b") + kFinish + kDone})});
    const auto reply = two.post(chat_body(true));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "b");
    EXPECT_EQ(reply.body, delta("b") + kFinish + kDone);
    EXPECT_EQ(two[0].request_count(), 1U);
    EXPECT_EQ(two[1].request_count(), 1U);
}

TEST(Streaming, OllamasErrorInTheFirstLineIsAStatusToo) {
    Chain chain({streaming("application/x-ndjson", {"{\"error\":\"no memory\"}\n"})});
    const auto reply = chain.post(chat_body(true), {}, support::kOllamaChat);
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, R"({"error":"no memory"})");
}

TEST(Streaming, ALaterErrorIsRelayedAndNothingIsAddedToIt) {
    const std::string stream = delta("x") + "data: {\"error\":{\"message\":\"oops\"}}\n\n";
    for (const std::string& more : {std::string(), kDone}) {
        Chain chain({streaming("text/event-stream", {delta("x"), stream.substr(delta("x").size()),
                                                     more.empty() ? ": end\n\n" : more}),
                     support::good_backend()});
        const auto reply = chain.post(chat_body(true));
        EXPECT_EQ(reply.status, 200);
        EXPECT_TRUE(reply.body.starts_with(stream)) << reply.body;
        EXPECT_EQ(reply.body.find("\"error\""), reply.body.rfind("\"error\"")) << "only once";
        EXPECT_FALSE(reply.clean_end);
        EXPECT_EQ(chain[1].request_count(), 0U);
        EXPECT_EQ(chain.count("a", "failures"), 1);
    }
}

TEST(Streaming, ACloseDelimitedStreamIsCompleteOnlyWithItsDialectsEnd) {
    for (const bool complete : {true, false}) {
        Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
            peer.send("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + delta("x") +
                      (complete ? kFinish + kDone : std::string()));
            peer.close();
        })});
        const auto reply = chain.post(chat_body(true));
        EXPECT_TRUE(reply.head.is_chunked());
        EXPECT_EQ(reply.clean_end, complete);
        EXPECT_EQ(reply.body.find("error") == std::string::npos, complete) << reply.body;
        EXPECT_EQ(chain.count("a", "failures"), complete ? 0 : 1);
    }
}

TEST(Streaming, AnEncodedStreamIsPassedOnUnreadAndAtOnce) {
    std::promise<void> seen;
    auto first_seen = seen.get_future().share();
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked("text/event-stream", "Content-Encoding: gzip\r\n");
        peer.chunk("\x1f\x8b first");
        first_seen.wait_for(support::kPatience);
        peer.chunk("second");
        peer.end_chunked();
    })});
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    auto reply = client.begin_reply("POST");
    EXPECT_EQ(reply.header("Content-Encoding"), "gzip");
    EXPECT_TRUE(client.read_until(reply, "first"));
    seen.set_value();
    EXPECT_TRUE(client.read_until(reply, "second"));
    EXPECT_FALSE(client.read_piece(reply));
    EXPECT_TRUE(reply.clean_end);
}

TEST(Streaming, AnOldClientGetsItsStreamUntilTheEndOfTheConnection) {
    Chain chain({streaming("text/event-stream", {delta("x") + kFinish + kDone})});
    const std::string body = chat_body(true);
    RawClient client(chain.port());
    client.send("POST " + std::string(kChat) + " HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    const auto reply = client.read_reply("POST");
    EXPECT_FALSE(reply.head.is_chunked());
    EXPECT_EQ(reply.body, delta("x") + kFinish + kDone);
}

/// Sockets of this process (the daemon's among them) whose local or remote port is `port`, and
/// that have TCP_NODELAY on or off.
struct NoDelay {
    int on = 0;
    int off = 0;
};
NoDelay no_delay_of(std::uint16_t local, std::uint16_t remote) {
    NoDelay out;
    for (int fd = 0; fd < 1024; ++fd) {
        sockaddr_in mine{};
        sockaddr_in theirs{};
        socklen_t size = sizeof mine;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &size) != 0) continue;
        size = sizeof theirs;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &size) != 0) continue;
        if (local != 0 && ntohs(mine.sin_port) != local) continue;
        if (remote != 0 && ntohs(theirs.sin_port) != remote) continue;
        int value = 0;
        size = sizeof value;
        if (::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size) != 0) continue;
        ++(value != 0 ? out.on : out.off);
    }
    return out;
}

TEST(Streaming, NoSocketOfTheDaemonWaitsForAcknowledgements) {
    std::promise<void> over;
    auto is_over = over.get_future().share();
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked();
        peer.chunk(delta("x"));
        is_over.wait_for(support::kPatience);
        peer.chunk(kFinish + kDone);
        peer.end_chunked();
    })});
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    auto reply = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(reply, "x"));
    const NoDelay accepted = no_delay_of(chain.port(), 0);
    const NoDelay upstream = no_delay_of(0, chain[0].port());
    EXPECT_GE(accepted.on, 1);
    EXPECT_EQ(accepted.off, 0);
    EXPECT_GE(upstream.on, 1);
    EXPECT_EQ(upstream.off, 0);
    over.set_value();
    while (client.read_piece(reply)) {
    }
}

}  // namespace
}  // namespace ollama_proxy
