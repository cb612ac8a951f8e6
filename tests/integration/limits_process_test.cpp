// Bounds and endings of the daemon as a process: memory, descriptors, signals, a taken port.

#include "daemon_process.hpp"
#include "front_end.hpp"
#include "support/process.hpp"

#include <future>
#include <thread>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

using support::Clock;
using support::Milliseconds;

constexpr std::string_view kQuiet =
    "server: { grpc_port: null, workers: 2, shutdown_grace_ms: 300 }\n"
    "logging: { access_log: false }\n"
    "monitors: { enabled: false }\n"
    "dbus: { enabled: false }\n"
    "health: { interval_ms: 100, idle_interval_ms: 100 }\n";

constexpr std::string_view kStreamBody =
    R"({"model":"test-model","messages":["hi"],"stream":true})";
const std::string kPieceOfStream = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";

// A sanitizer keeps what was freed: its own memory would be measured.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasuresMemory = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kMeasuresMemory = false;
#else
constexpr bool kMeasuresMemory = true;
#endif
#else
constexpr bool kMeasuresMemory = true;
#endif

bool becomes_ready(std::uint16_t port) {
    return support::eventually([&] { return support::http_get(port, "/readyz").status == 200; });
}

/// Sends one piece and then keeps the stream open.
ScriptedBackend::Script endless() {
    return ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked();
        peer.chunk(kPieceOfStream);
        (void)peer.wait_closed();
    });
}

/// Takes an upload without holding it.
class Sink {
  public:
    Sink() : listener_(support::Socket::listen(8)), port_(listener_.local_port()) {
        thread_ = std::thread([this] { run(); });
    }
    ~Sink() {
        listener_.shut_down();
        thread_.join();
    }
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    void run() {
        const auto end = Clock::now() + 6 * support::kPatience;
        while (auto socket = listener_.accept(end)) take(*socket);
    }
    static void take(support::Socket& socket) {
        const auto end = Clock::now() + 3 * support::kPatience;
        std::string bytes;
        std::optional<support::HeadText> head;
        while (!(head = support::take_head(bytes))) {
            const std::string more = socket.receive(end);
            if (more.empty()) return;
            bytes += more;
        }
        std::uint64_t left = head->length().value_or(0) - bytes.size();
        while (left > 0) {
            const std::string more = socket.receive(end);
            if (more.empty()) return;
            left -= more.size();
        }
        const bool is_upload = head->word(0) == "POST";
        socket.send(is_upload
                        ? "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n"
                          "Connection: close\r\n\r\n"
                        : "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }

    support::Socket listener_;
    std::uint16_t port_;
    std::thread thread_;
};

TEST(Process, ABlobOfAHundredMegabytesPassesWithMemoryFlat) {
    Sink sink;
    const DaemonProcess daemon(
        support::config_yaml({support::backend_yaml("a", sink.port())}, kQuiet));
    constexpr std::size_t kSize = 100UL << 20;
    const std::string block(1 << 20, 'b');
    EXPECT_EQ(support::http_get(daemon.port(), "/healthz").status, 200);
    const std::size_t before = support::resident_bytes(daemon.pid());
    RawClient client(daemon.port(), 3 * support::kPatience);
    client.send("POST /api/blobs/sha256:aa HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(kSize) + "\r\n\r\n");
    std::size_t most = 0;
    for (std::size_t at = 0; at < kSize; at += block.size()) {
        ASSERT_TRUE(client.send(block));
        most = std::max(most, support::resident_bytes(daemon.pid()));
    }
    EXPECT_EQ(client.read_reply("POST").status, 201);
    if (kMeasuresMemory) {
        EXPECT_LT(most, before + (8UL << 20));
    }
}

/// Row 33: an answer for those who cannot be served, and work as before once there is room.
TEST(Process, OutOfDescriptorsItSaysSoAndServesAgainAfterwards) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const DaemonProcess daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())}, kQuiet), std::nullopt,
        48);
    ASSERT_TRUE(becomes_ready(daemon.port()));
    std::vector<std::unique_ptr<RawClient>> idle;
    bool refused = false;
    for (int i = 0; i < 100 && !refused; ++i) {
        idle.push_back(std::make_unique<RawClient>(daemon.port()));
        const auto reply = idle.back()->get("/healthz");
        refused = reply.status == 503;
        if (refused) {
            expect_error(reply, Shape::openai, 503, "overloaded");
        } else {
            ASSERT_EQ(reply.status, 200);
        }
    }
    EXPECT_TRUE(refused);
    EXPECT_EQ(idle.front()->get("/healthz").status, 200) << "those who are in stay in";
    idle.clear();
    EXPECT_TRUE(support::eventually(
        [&] { return support::http_post(daemon.port(), kChat, kChatBody).status == 200; }));
}

TEST(Process, SigtermEndsIdleConnectionsAtOnceAndExitsWith0) {
    for (const int number : {SIGTERM, SIGINT}) {
        DaemonProcess daemon(support::config_yaml({}, kQuiet));
        RawClient used(daemon.port());
        EXPECT_EQ(used.get("/healthz").status, 200);
        RawClient fresh(daemon.port());
        EXPECT_EQ(fresh.get("/").status, 200);
        const auto start = Clock::now();
        daemon.signal(number);
        EXPECT_EQ(used.read_to_end(), "");
        EXPECT_EQ(fresh.read_to_end(), "");
        EXPECT_EQ(daemon.wait_exit(), 0);
        EXPECT_LT(Clock::now() - start, Milliseconds(300)) << "the grace was waited for";
    }
}

/// Row 35, with a stream that does not end within the grace.
TEST(Process, SigtermLetsStreamsGoOnForTheGraceAndThenCutsThemVisibly) {
    ScriptedBackend backend(endless());
    DaemonProcess daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 4")}, kQuiet));
    ASSERT_TRUE(becomes_ready(daemon.port()));
    RawClient watcher(daemon.port());
    struct Case {
        const char* path;
        std::string_view event;
    };
    const std::vector<Case> cases{{"/v1/chat/completions", "data: {\"error\":{"},
                                  {"/v1/messages", "event: error\ndata: {\"type\":\"error\""}};
    std::vector<std::unique_ptr<RawClient>> clients;
    std::vector<HttpReply> replies;
    for (const Case& c : cases) {
        clients.push_back(std::make_unique<RawClient>(daemon.port()));
        clients.back()->send_request("POST", c.path, kStreamBody);
        replies.push_back(clients.back()->begin_reply("POST"));
        EXPECT_EQ(replies.back().status, 200);
        EXPECT_TRUE(clients.back()->read_until(replies.back(), "one"));
    }
    watcher.send("GET /readyz HTTP/1.1\r\nHost: loc");  // begun before the signal
    const auto start = Clock::now();
    daemon.signal(SIGTERM);
    EXPECT_TRUE(clients[0]->stays_silent(Milliseconds(150))) << "no grace";
    watcher.send("alhost\r\n\r\n");
    const auto ready = watcher.read_reply();
    EXPECT_EQ(ready.status, 503);
    EXPECT_EQ(ready.header("Connection"), "close");
    for (std::size_t i = 0; i < cases.size(); ++i) {
        SCOPED_TRACE(cases[i].path);
        while (clients[i]->read_piece(replies[i])) {
        }
        EXPECT_FALSE(replies[i].clean_end) << "a cut stream that looks complete";
        EXPECT_TRUE(replies[i].body.starts_with(kPieceOfStream + std::string(cases[i].event)))
            << replies[i].body;
        EXPECT_TRUE(replies[i].body.ends_with("\n\n"));
        EXPECT_EQ(replies[i].body.find("[DONE]"), std::string::npos);
    }
    EXPECT_EQ(daemon.wait_exit(), 0);
    EXPECT_GE(Clock::now() - start, Milliseconds(300));
}

TEST(Process, AStreamThatEndsWithinTheGraceEndsWell) {
    std::promise<void> stopping;
    std::shared_future<void> go_on = stopping.get_future().share();
    const std::string rest =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    ScriptedBackend backend(
        ScriptedBackend::answering([&rest, go_on](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked();
            peer.chunk(kPieceOfStream);
            go_on.wait_for(support::kPatience);
            peer.chunk(rest);
            peer.end_chunked();
        }));
    DaemonProcess daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())}, kQuiet));
    ASSERT_TRUE(becomes_ready(daemon.port()));
    RawClient client(daemon.port());
    client.send_request("POST", kChat, kStreamBody);
    auto reply = client.begin_reply("POST");
    EXPECT_TRUE(client.read_until(reply, "one"));
    RawClient idle(daemon.port());
    EXPECT_EQ(idle.get("/healthz").status, 200);
    daemon.signal(SIGTERM);
    idle.wait_closed();  // the stop has begun
    stopping.set_value();
    while (client.read_piece(reply)) {
    }
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(reply.body, kPieceOfStream + rest);
    client.close();
    EXPECT_EQ(daemon.wait_exit(), 0);
}

TEST(Process, ASecondSignalEndsItAtOnce) {
    ScriptedBackend backend(endless());
    DaemonProcess daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port())},
        "server: { grpc_port: null, shutdown_grace_ms: 60000 }\nmonitors: { enabled: false }\n"
        "dbus: { enabled: false }\nhealth: { interval_ms: 100, idle_interval_ms: 100 }"));
    ASSERT_TRUE(becomes_ready(daemon.port()));
    RawClient client(daemon.port());
    client.send_request("POST", kChat, kStreamBody);
    auto reply = client.begin_reply("POST");
    EXPECT_TRUE(client.read_until(reply, "one"));
    RawClient idle(daemon.port());
    EXPECT_EQ(idle.get("/healthz").status, 200);
    daemon.signal(SIGTERM);
    idle.wait_closed();
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.wait_exit(), 128 + SIGTERM);
    while (client.read_piece(reply)) {
    }
    EXPECT_FALSE(reply.clean_end);
}

/// Row 55.
TEST(Process, ASecondDaemonOnThePortExitsWith1AndASentence) {
    const DaemonProcess first(support::config_yaml({}, kQuiet));
    DaemonProcess second(support::config_yaml({}, kQuiet), first.port());
    EXPECT_EQ(second.wait_exit(), 1);
    const std::string errors = second.errors();
    EXPECT_NE(errors.find("port " + std::to_string(first.port()) + " is in use"), std::string::npos)
        << errors;
    EXPECT_NE(errors.find("--http-port"), std::string::npos) << errors;
    EXPECT_EQ(support::http_get(first.port(), "/healthz").status, 200);
}

TEST(Process, TheQueueIsAnsweredWith503WhenTheDaemonStops) {
    ScriptedBackend backend(endless());
    DaemonProcess daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 1\nmax_in_flight: 1")},
        kQuiet));
    ASSERT_TRUE(becomes_ready(daemon.port()));
    RawClient first(daemon.port());
    first.send_request("POST", kChat, kStreamBody);
    auto reply = first.begin_reply("POST");
    EXPECT_TRUE(first.read_until(reply, "one"));
    RawClient waiting(daemon.port());
    waiting.send_request("POST", "/api/chat", kChatBody);
    EXPECT_TRUE(support::eventually([&] {
        const auto body = support::http_get(daemon.port(), "/backends").body;
        return body.find("\"queue_depth\":1") != std::string::npos;
    }));
    const auto start = Clock::now();
    daemon.signal(SIGTERM);
    const auto refused = waiting.read_reply("POST");
    expect_error(refused, Shape::ollama, 503, "shutting_down");
    EXPECT_LT(Clock::now() - start, Milliseconds(250)) << "it waited for the grace";
    EXPECT_EQ(backend.request_count(), 1U);
    first.close();
    waiting.close();
    EXPECT_EQ(daemon.wait_exit(), 0);
}

}  // namespace
}  // namespace ollama_proxy::front_end
