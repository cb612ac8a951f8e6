// Bounds of the front end: time, connections, bytes held, and readers that do not read.

#include "front_end.hpp"

#include <atomic>
#include <future>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

using support::Clock;
using support::Milliseconds;

std::string limits(std::string_view of) {
    return "server: { limits: { " + std::string(of) + " } }\n";
}

TEST(Limits, AnIdleConnectionIsClosedWithoutAWord) {
    const TestDaemon daemon(support::config_yaml({}, limits("idle_timeout_ms: 40")));
    RawClient fresh(daemon.port());
    EXPECT_EQ(fresh.read_to_end(), "");
    RawClient used(daemon.port());
    EXPECT_EQ(used.get("/healthz").status, 200);
    EXPECT_EQ(used.read_to_end(), "");
}

/// One byte now and then does not keep a head alive: its time runs from the first byte.
TEST(Limits, ADrippingHeadIs408) {
    const TestDaemon daemon(support::config_yaml({}, limits("header_timeout_ms: 120")));
    RawClient client(daemon.port());
    client.send("GET /healthz HTTP/1.1\r\nX-Slow: ");
    const auto start = Clock::now();
    while (client.stays_silent(Milliseconds(10))) {
        client.send("x");
        ASSERT_LT(Clock::now() - start, support::kPatience);
    }
    EXPECT_EQ(client.read_reply().status, 408);
    EXPECT_GE(Clock::now() - start, Milliseconds(100));
}

/// A body may take its time as long as something comes.
TEST(Limits, ASlowBodyThatComesIsServed) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             limits("body_stall_ms: 400, header_timeout_ms: 400")));
    daemon.wait_until_healthy("a");
    RawClient client(daemon.port());
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(kChatBody.size()) + "\r\n\r\n");
    for (const char byte : kChatBody) {
        // longer in all than the limit of one pause
        EXPECT_TRUE(client.stays_silent(Milliseconds(15)));
        client.send(std::string_view(&byte, 1));
    }
    EXPECT_EQ(client.read_reply("POST").status, 200);
}

TEST(Limits, AConnectionTooManyIs503AndAFreedOneServesAgain) {
    const TestDaemon daemon(support::config_yaml({}, limits("connections: 3")));
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(daemon.port()));
        EXPECT_EQ(clients.back()->get("/healthz").status, 200);
    }
    RawClient late(daemon.port());
    const auto refused = late.read_reply();
    expect_error(refused, Shape::openai, 503, "overloaded");
    EXPECT_EQ(refused.header("Connection"), "close");
    late.wait_closed();
    EXPECT_EQ(clients[0]->get("/healthz").status, 200) << "those who are in stay in";
    clients.clear();
    EXPECT_TRUE(support::eventually(
        [&] { return support::http_get(daemon.port(), "/healthz").status == 200; }));
}

/// Row 34. The budget counts what is held: an announcement alone takes no room from others.
TEST(Limits, BodiesOverTheByteBudgetAre503AndItIsGivenBack) {
    std::promise<void> go;
    std::shared_future<void> may_answer = go.get_future().share();
    ScriptedBackend backend(
        ScriptedBackend::answering([may_answer](Peer& peer, const RecordedRequest&) {
            may_answer.wait_for(support::kPatience);
            peer.reply(200, "{}");
        }));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 8")},
        limits("buffered_bytes: 1048576, body_bytes: 1048576, body_stall_ms: 5000")));
    daemon.wait_until_healthy("a");
    const auto body_of = [](std::size_t size) {
        std::string body(kChatBody);
        return body.append(size - body.size(), ' ');
    };
    RawClient announcer(daemon.port());
    announcer.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 900000\r\n\r\n");
    RawClient holder(daemon.port());
    holder.send_request("POST", kChat, body_of(800000));
    (void)backend.wait_for_requests(1);
    // 76 % are held: best-effort work is shed at 85 %, all at 95 %
    RawClient normal(daemon.port());
    normal.send_request("POST", kChat, body_of(120000));
    (void)backend.wait_for_requests(2);
    const auto shed = support::http_post(daemon.port(), "/api/chat", body_of(20000),
                                         {{"X-Priority", "best-effort"}});
    expect_error(shed, Shape::ollama, 503, "overloaded");
    const auto over = support::http_post(daemon.port(), kChat, body_of(90000));
    expect_error(over, Shape::openai, 503, "overloaded");
    RawClient chunked(daemon.port());
    chunked.send(
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    chunked.send(support::chunk_of(body_of(90000)));
    expect_error(chunked.read_reply("POST"), Shape::anthropic, 503, "overloaded");
    go.set_value();
    EXPECT_EQ(holder.read_reply("POST").status, 200);
    EXPECT_EQ(normal.read_reply("POST").status, 200);
    EXPECT_TRUE(support::eventually(
        [&] { return support::http_post(daemon.port(), kChat, body_of(900000)).status == 200; }));
}

TEST(Limits, AChunkedBodyOverTheLimitIs413AsSoonAsItIsOver) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                                 limits("body_bytes: 1000")));
    daemon.wait_until_healthy("a");
    RawClient client(daemon.port());
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\n\r\nFFFFFF\r\n" +
        std::string(1001, ' '));
    const auto reply = client.read_reply("POST");
    expect_error(reply, Shape::openai, 413, "request_too_large");
    EXPECT_EQ(reply.header("Connection"), "close");
    // exactly at the limit is within it
    std::string body(kChatBody);
    body.append(1000 - body.size(), ' ');
    EXPECT_EQ(support::http_post(daemon.port(), kChat, body).status, 200);
    EXPECT_EQ(support::http_post(daemon.port(), kChat, body + " ").status, 413);
}

/// Row 29: who does not read stops the reading from his own backend, and nothing else.
TEST(Limits, ASlowReaderHoldsBackOnlyItself) {
    std::atomic<std::size_t> sent = 0;
    constexpr std::size_t kAll = 64UL << 20;
    ScriptedBackend backend(
        ScriptedBackend::answering([&sent](Peer& peer, const RecordedRequest& request) {
            if (request.body.find("\"stream\"") == std::string::npos) return peer.reply(200, "{}");
            const std::string event = "data: {\"choices\":[{\"delta\":{\"content\":\"" +
                                      std::string(16000, 'x') + "\"}}]}\n\n";
            peer.begin_chunked();
            while (sent < kAll) {
                peer.chunk(event);
                sent += event.size();
            }
            peer.end_chunked();
        }));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port(), "max_concurrency: 8")},
                             limits("write_stall_ms: 1500")));
    daemon.wait_until_healthy("a");
    RawClient slow(daemon.port());
    const int small = 4096;
    ::setsockopt(slow.socket().fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    slow.send_request("POST", kChat, R"({"model":"test-model","messages":["hi"],"stream":true})");
    (void)backend.wait_for_requests(1);
    // others are served meanwhile, also on the same worker
    std::size_t before = 0;
    do {
        before = sent;
        for (int i = 0; i < 20; ++i) {
            EXPECT_EQ(support::http_post(daemon.port(), kChat, kChatBody).status, 200);
        }
    } while (before != sent);
    // what the kernel holds on both ways, and 256 KiB of ours
    EXPECT_LT(sent, 16UL << 20);
    // no progress aborts both sides
    EXPECT_TRUE(support::eventually([&] {
        const auto entry = daemon.backend("a");
        return entry && entry->at("in_flight") == 0;
    }));
    EXPECT_LT(sent, kAll);
}

/// Row 25: the backend says no before the upload is done, and reads no further.
TEST(Limits, AnAnswerBeforeTheUploadIsDoneIsRelayed) {
    std::promise<void> over;
    std::shared_future<void> is_over = over.get_future().share();
    ScriptedBackend backend([is_over](Peer& peer) {
        peer.send("HTTP/1.1 507 Full\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        is_over.wait_for(support::kPatience);
    });
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                                 "health: { unhealthy_threshold: 1 }"));
    ASSERT_TRUE(
        support::eventually([&] { return daemon.backend("a")->at("state") == "unhealthy"; }));
    RawClient client(daemon.port());
    client.send(
        "POST /api/blobs/sha256:aa HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 50000000\r\n\r\n");
    // as clients do: sending on until an answer is there
    const std::string block(65536, 'b');
    for (int i = 0; i < 700 && client.stays_silent(Milliseconds(1)); ++i) client.send(block);
    const auto reply = client.read_reply("POST");
    EXPECT_EQ(reply.status, 507);
    EXPECT_EQ(reply.body, "{}");
    EXPECT_EQ(reply.header("Connection"), "close");
    over.set_value();
}

}  // namespace
}  // namespace ollama_proxy::front_end
