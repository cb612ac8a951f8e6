// stream.keepalive_ms: what a streaming client sees while its request waits, and how what comes
// after the first comment is told (wire contract, "Streaming").
#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <future>
#include <thread>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::delta;
using support::Gate;
using support::HttpReply;
using support::kChat;
using support::kMessages;
using support::kOllamaChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

const std::string kStream = delta("one") + support::kFinish + support::kDone;

support::Chain::Extra commenting(std::string_view slots = "max_concurrency: 8") {
    support::Chain::Extra extra;
    extra.sections = support::kQuiet + "stream: {keepalive_ms: 2}\n";
    extra.per_backend = slots;
    return extra;
}

/// Answers once the gate is open: a stream where one is asked for.
ScriptedBackend::Script behind(const Gate& gate) {
    return ScriptedBackend::answering([&gate](Peer& peer, const RecordedRequest& request) {
        gate.wait();
        if (request.body.find("\"stream\":true") == std::string::npos) {
            peer.reply(200, support::kAnswer);
            return;
        }
        peer.begin_chunked("text/event-stream");
        peer.chunk(kStream);
        peer.end_chunked();
    });
}

/// Without the comments at its beginning. What is in them is checked by the way.
std::string behind_comments(std::string body, const std::string& comment) {
    while (body.starts_with(comment)) body.erase(0, comment.size());
    return body;
}

void read_all(RawClient& client, HttpReply& reply) {
    while (client.read_piece(reply)) {
    }
}

TEST(Keepalive, AQueuedStreamIsToldHowManyWaitAndThenGetsItsAnswer) {
    Gate gate;
    support::Chain chain({behind(gate)}, commenting("max_concurrency: 1"));
    RawClient first(chain.port());
    first.send_request("POST", kChat, chat_body());
    chain[0].wait_for_requests(1);

    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true), {{"X-Request-ID", "mine"}});
    auto reply = client.begin_reply("POST");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Content-Type"), "text/event-stream");
    EXPECT_EQ(reply.header("Cache-Control"), "no-cache");
    EXPECT_EQ(reply.header("X-Accel-Buffering"), "no");
    EXPECT_EQ(reply.header("X-Request-ID"), "mine");
    EXPECT_FALSE(reply.has_header("X-Backend-Used")) << "nobody knows yet";
    ASSERT_TRUE(client.read_until(reply, ": queued 1\n\n: queued 1\n\n")) << reply.body;
    EXPECT_EQ(chain[0].request_count(), 1U) << "it waits";

    gate.open();
    EXPECT_EQ(first.read_reply("POST").status, 200);
    read_all(client, reply);
    const std::string rest =
        behind_comments(behind_comments(reply.body, ": queued 1\n\n"), ": waiting\n\n");
    EXPECT_EQ(rest, kStream) << reply.raw;
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(client.post(kChat, chat_body()).status, 200) << "the connection goes on";
}

TEST(Keepalive, AnotherBackendMayStillAnswerBehindComments) {
    Gate gate;
    auto dying = ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        gate.wait();
        peer.reset();
    });
    support::Chain chain({dying, support::streaming("text/event-stream", {kStream})}, commenting());
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    auto reply = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(reply, ": waiting\n\n")) << reply.body;
    gate.open();
    read_all(client, reply);
    EXPECT_EQ(behind_comments(reply.body, ": waiting\n\n"), kStream);
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(chain[0].request_count(), 1U);
}

/// Answers come in the very moment in which a comment is due, and before any is.
TEST(Keepalive, AnAnswerAndACommentInTheSameMoment) {
    auto extra = commenting("max_concurrency: 2");
    extra.sections = support::kQuiet + "stream: {keepalive_ms: 1}\n";
    support::Chain chain({support::streaming("text/event-stream", {kStream})}, extra);
    std::vector<std::thread> clients;
    std::atomic<int> wrong{0};
    for (int i = 0; i < 6; ++i) {
        clients.emplace_back([&] {
            RawClient client(chain.port());
            for (int n = 0; n < 60; ++n) {
                const auto reply = client.post(kChat, chat_body(true));
                if (!reply.body.ends_with(kStream) || !reply.clean_end) ++wrong;
            }
        });
    }
    for (std::thread& one : clients) one.join();
    EXPECT_EQ(wrong, 0);
}

TEST(Keepalive, AnErrorBeforeTheFirstCommentIsAnErrorLikeAnyOther) {
    support::Chain chain({support::good_backend()}, commenting());
    const auto reply = support::http_post(chain.port(), kChat, chat_body(true, "nobody-has-it"));
    EXPECT_EQ(reply.status, 404);
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
}

TEST(Keepalive, ErrorsBehindCommentsAreEventsOfTheDialect) {
    struct Case {
        std::string_view path;
        int status;
        std::string body;
        std::string begin;
        std::string part;
    };
    const std::string refusal = R"({"error":{"message":"too\nlong","code":"context_length"}})";
    for (const Case& c :
         {Case{kChat, 400, refusal, "data: {\"error\":{", "\"code\":\"context_length\"}}\n\n"},
          Case{kMessages, 400, refusal, "event: error\ndata: {\"type\":\"error\"", "too\\nlong"},
          Case{kChat, 502, "<html>no</html>", "data: {\"error\":{",
               "\"code\":\"no_available_backends\""},
          Case{kChat, 200, support::kAnswer, "data: {\"error\":{", "keepalive_ms"}}) {
        SCOPED_TRACE(std::string(c.path) + " " + std::to_string(c.status));
        Gate gate;
        auto refusing = ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
            gate.wait();
            peer.reply(c.status, c.body);
        });
        support::Chain chain({refusing}, commenting());
        RawClient client(chain.port());
        client.send_request("POST", c.path, chat_body(true));
        auto reply = client.begin_reply("POST");
        ASSERT_TRUE(client.read_until(reply, ": waiting\n\n")) << reply.body;
        gate.open();
        read_all(client, reply);
        const std::string event = behind_comments(reply.body, ": waiting\n\n");
        EXPECT_TRUE(event.starts_with(c.begin)) << event;
        EXPECT_TRUE(event.ends_with("\n\n")) << event;
        EXPECT_NE(event.find(c.part), std::string::npos) << event;
        EXPECT_EQ(event.find("\n\n"), event.size() - 2) << "one event";
        EXPECT_FALSE(reply.clean_end) << "no last chunk";
    }
}

TEST(Keepalive, AQueueTimeoutIsToldInTheStream) {
    Gate gate;
    auto extra = commenting("max_concurrency: 1");
    extra.sections += "queue: {timeout_ms: 50}\n";
    support::Chain chain({behind(gate)}, extra);
    RawClient first(chain.port());
    first.send_request("POST", kChat, chat_body());
    chain[0].wait_for_requests(1);
    const auto reply = support::http_post(chain.port(), kChat, chat_body(true));
    EXPECT_EQ(reply.status, 200);
    const std::string event = behind_comments(reply.body, ": queued 1\n\n");
    EXPECT_TRUE(event.starts_with("data: {\"error\":{")) << reply.body;
    EXPECT_NE(event.find("\"code\":\"queue_timeout\""), std::string::npos) << event;
    EXPECT_FALSE(reply.clean_end);
    gate.open();
    EXPECT_EQ(first.read_reply("POST").status, 200);
}

TEST(Keepalive, TheDaemonsEndIsToldInTheStream) {
    Gate gate;
    support::Chain chain({behind(gate)}, commenting());
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    auto reply = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(reply, ": waiting\n\n")) << reply.body;
    chain.daemon().stop();
    read_all(client, reply);
    const std::string event = behind_comments(reply.body, ": waiting\n\n");
    EXPECT_TRUE(event.starts_with("data: {\"error\":{")) << event;
    EXPECT_NE(event.find("\"code\":\"shutting_down\""), std::string::npos) << event;
    EXPECT_FALSE(reply.clean_end);
    gate.open();
}

TEST(Keepalive, AClientThatLeavesBetweenCommentsEndsItsRequest) {
    std::promise<void> closed;
    auto waiting = ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        (void)peer.wait_closed();
        closed.set_value();
    });
    support::Chain chain({waiting}, commenting());
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    auto reply = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(reply, ": waiting\n\n")) << reply.body;
    client.close();
    EXPECT_EQ(closed.get_future().wait_for(support::kPatience), std::future_status::ready);
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
}

TEST(Keepalive, OnlyStreamsOfEventsGetComments) {
    struct Case {
        std::string_view path;
        bool stream;
    };
    for (const Case& c : {Case{kChat, false}, Case{kOllamaChat, true}, Case{kOllamaChat, false}}) {
        SCOPED_TRACE(std::string(c.path) + (c.stream ? " stream" : ""));
        Gate gate;
        support::Chain chain({behind(gate)}, commenting());
        RawClient client(chain.port());
        client.send_request("POST", c.path, chat_body(c.stream));
        chain[0].wait_for_requests(1);
        EXPECT_TRUE(client.stays_silent(Milliseconds(30)));
        gate.open();
        EXPECT_EQ(client.read_reply("POST").header("X-Backend-Used"), "a");
    }
}

TEST(Keepalive, OffUnlessConfigured) {
    Gate gate;
    support::Chain chain({behind(gate)});
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    chain[0].wait_for_requests(1);
    EXPECT_TRUE(client.stays_silent(Milliseconds(30)));
    gate.open();
    EXPECT_EQ(client.read_reply("POST").body, kStream);
}

}  // namespace
}  // namespace ollama_proxy
