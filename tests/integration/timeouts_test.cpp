// Silence: before the head, before the first piece, between pieces, and of a slow reader.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <future>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::chat_body;
using support::good_backend;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

Chain::Extra limits(std::string timeouts) {
    Chain::Extra extra;
    extra.per_backend = "timeouts: {" + timeouts + "}";
    return extra;
}

/// Sends this and then nothing until the proxy hangs up, which it must.
ScriptedBackend::Script silent_after(std::string bytes) {
    return ScriptedBackend::answering([bytes](Peer& peer, const RecordedRequest&) {
        peer.send(bytes);
        peer.wait_closed();
    });
}

TEST(Timeouts, SilenceBeforeTheFirstPieceGoesToOneMoreBackend) {
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";
    for (const std::string& bytes : {std::string(), head, head + "\r\n", head + "\r\n5\r\nda"}) {
        SCOPED_TRACE(bytes);
        Chain two({silent_after(bytes), good_backend()},
                  limits("first_byte_ms: 150, stall_ms: 150"));
        const auto saved = two.post(chat_body(true));
        EXPECT_EQ(saved.status, 200);
        EXPECT_EQ(saved.header("X-Backend-Used"), "b");
        EXPECT_TRUE(two[0].failures().empty()) << "the silent one was left";

        Chain three({silent_after(bytes), silent_after(bytes), good_backend()},
                    limits("first_byte_ms: 150, stall_ms: 150"));
        const auto reply = three.post(chat_body(true));
        EXPECT_EQ(reply.status, 504) << reply.body;
        EXPECT_EQ(nlohmann::json::parse(reply.body)["error"]["code"], "upstream_timeout");
        EXPECT_EQ(three[2].request_count(), 0U) << "the first try and one more";
        EXPECT_EQ(three.count("a", "failures"), 1);
    }
}

TEST(Timeouts, AFullReplyHasALimitOfItsOwn) {
    const std::string part = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":";
    for (const std::string& bytes : {std::string(), part}) {
        Chain chain({silent_after(bytes)}, limits("whole_ms: 200, first_byte_ms: 1, stall_ms: 1"));
        const auto reply = chain.post(chat_body());
        EXPECT_EQ(reply.status, 504) << reply.body;
        EXPECT_TRUE(chain[0].failures().empty());
    }
}

TEST(Timeouts, SilenceBetweenPiecesEndsTheStreamWithItsOwnError) {
    for (const support::Dialect& dialect : support::dialects()) {
        SCOPED_TRACE(dialect.path);
        const std::size_t first = dialect.stream.find(dialect.separator, 20);
        const std::string event = dialect.stream.substr(0, first + dialect.separator.size());
        Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
                        peer.begin_chunked(dialect.type);
                        peer.chunk(event);
                        peer.chunk("data: half of");
                        peer.wait_closed();
                    })},
                    limits("stall_ms: 150"));
        const auto reply = chain.post(chat_body(true), {}, dialect.path);
        EXPECT_EQ(reply.status, 200);
        EXPECT_FALSE(reply.clean_end);
        ASSERT_TRUE(reply.body.starts_with(event + dialect.error_begin)) << reply.body;
        EXPECT_EQ(reply.body.find("half of"), std::string::npos);
        if (dialect.path == support::kChat) {
            EXPECT_NE(reply.body.find("upstream_stalled"), std::string::npos) << reply.body;
        }
        EXPECT_TRUE(chain[0].failures().empty());
        EXPECT_EQ(chain.count("a", "failures"), 1);
    }
}

TEST(Timeouts, BytesThatCarryNothingDoNotKeepAStreamAlive) {
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
                    peer.begin_chunked();
                    peer.chunk(support::delta("x"));
                    peer.send("00000000000");  // of a chunk size that never ends
                    peer.wait_closed();
                })},
                limits("stall_ms: 200"));
    const auto reply = chain.post(chat_body(true));
    EXPECT_FALSE(reply.clean_end);
    EXPECT_NE(reply.body.find("upstream_stalled"), std::string::npos) << reply.body;
}

TEST(Timeouts, ASlowReaderIsNotTakenForAStallOfTheBackend) {
    // The backend has sent all that the proxy will take, and waits. Its silence lasts as long as
    // the client's: only the client is slow.
    const std::string piece = support::delta(std::string(60'000, 'x'));
    constexpr int kPieces = 300;
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
                    peer.begin_chunked();
                    for (int i = 0; i < kPieces; ++i) peer.chunk(piece);
                    peer.chunk(support::kFinish + support::kDone);
                    peer.end_chunked();
                })},
                limits("stall_ms: 150"));
    RawClient client(chain.port());
    client.send_request("POST", support::kChat, chat_body(true));
    auto reply = client.begin_reply("POST");
    // longer than the stall limit: nothing can be waited for, time itself is what is tested
    EXPECT_FALSE(support::eventually([&] { return chain.count("a", "failures") > 0; },
                                     support::Milliseconds(500)));
    while (client.read_piece(reply)) {
    }
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(reply.body.size(),
              kPieces * piece.size() + support::kFinish.size() + support::kDone.size());
    EXPECT_EQ(chain.count("a", "failures"), 0);
}

TEST(Timeouts, AClientThatTakesNothingIsGivenUp) {
    Chain::Extra extra;
    extra.sections = support::kQuiet + "server: {limits: {write_stall_ms: 300}}";
    std::promise<void> closed;
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
                    peer.begin_chunked();
                    const std::string piece = support::delta(std::string(60'000, 'x'));
                    try {
                        for (;;) peer.chunk(piece);
                    } catch (...) {
                        closed.set_value();
                        throw;
                    }
                })},
                extra);
    RawClient client(chain.port());
    client.send_request("POST", support::kChat, chat_body(true));
    EXPECT_EQ(closed.get_future().wait_for(support::kPatience), std::future_status::ready);
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
    EXPECT_EQ(chain.count("a", "failures"), 0);
}

}  // namespace
}  // namespace ollama_proxy
