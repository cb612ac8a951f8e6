// /v1/stream/ws: cancelling, leaving, slow readers, many sockets, and the end of the daemon.

#include "integration/websocket_support.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <future>
#include <thread>

namespace ollama_proxy {
namespace {

using support::ask;
using support::Chain;
using support::expect_failed;
using support::generate_line;
using support::Json;
using support::kGenerateEnd;
using support::kWsClose;
using support::Peer;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::WsClient;

constexpr std::chrono::milliseconds kAtOnce{1000};  ///< 100 by contract; here also under sanitizers

/// Sends one token and then waits until the other side closes.
class Endless {
  public:
    [[nodiscard]] ScriptedBackend::Script script() {
        return ScriptedBackend::answering([this](Peer& peer, const RecordedRequest& request) {
            peer.begin_chunked(support::kNdjson);
            peer.chunk(generate_line("x"));
            if (request.body.find("short") != std::string::npos) {
                peer.chunk(kGenerateEnd);
                return peer.end_chunked();
            }
            peer.wait_closed(std::chrono::seconds(60));
            ++closed;
            peer.close();
        });
    }
    std::atomic<int> closed{0};
};

Chain::Extra roomy(const std::string& sections = {}) {
    Chain::Extra extra;
    extra.per_backend = "max_concurrency: 512";
    extra.sections += sections;
    return extra;
}

void expect_unharmed(Chain& chain) {
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
    EXPECT_EQ(chain.count("a", "failures"), 0);
}

TEST(WebSocketCancel, EndsOneRequestAndLeavesTheOthers) {
    Endless backend;
    Chain chain({backend.script()});
    WsClient client(chain.port());
    client.send(ask("stays"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    client.send(ask("goes"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    const auto asked = support::Clock::now();
    client.send(Json{{"type", "cancel"}, {"request_id", "goes"}});
    expect_failed(client.read_json(), "goes", "cancelled");
    EXPECT_TRUE(support::eventually([&] { return backend.closed == 1; }));
    EXPECT_LT(support::Clock::now() - asked, kAtOnce);
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 1; }));
    client.send(ask("goes", "short"));  // the id is free again
    EXPECT_EQ(client.read_answer("goes").back().at("finish_reason"), "stop");
    client.close();
    expect_unharmed(chain);
}

TEST(WebSocketCancel, SaysNothingOfARequestThatIsNotThere) {
    Endless backend;
    Chain chain({backend.script()});
    WsClient client(chain.port());
    client.send(Json{{"type", "cancel"}, {"request_id", "nobody"}});
    client.send(ask("r", "short"));
    EXPECT_EQ(client.read_json().at("token"), "x");
}

TEST(WebSocketCancel, ReachesARequestThatCameInTheSamePacket) {
    Endless backend;
    Chain chain({backend.script()});
    WsClient client(chain.port());
    client.send_raw(support::ws_frame(support::kWsText, ask("r").dump()) +
                    support::ws_frame(support::kWsText, R"({"type":"cancel","request_id":"r"})"));
    expect_failed(client.read_answer("r").back(), "r", "cancelled");
    expect_unharmed(chain);
}

TEST(WebSocketCancel, TakesARequestOutOfTheQueue) {
    Endless backend;
    Chain::Extra extra;
    extra.per_backend = "max_concurrency: 1";
    Chain chain({backend.script()}, extra);
    WsClient client(chain.port());
    client.send(ask("has-the-slot"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    client.send(ask("waits"));
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "queue_depth") == 1; }));
    client.send(Json{{"type", "cancel"}, {"request_id", "waits"}});
    expect_failed(client.read_json(), "waits", "cancelled");
    EXPECT_EQ(chain.count("a", "queue_depth"), 0);
    EXPECT_EQ(chain[0].request_count(), 1U);
}

TEST(WebSocketLeave, ClosesTheStreamsOfAllItsBackends) {
    const std::vector<std::function<void(WsClient&)>> ways{
        [](WsClient& client) { client.close(); }, [](WsClient& client) { client.reset(); },
        [](WsClient& client) { client.send_close(1000); },
        [](WsClient& client) { client.socket().half_close(); }};
    for (const auto& leave : ways) {
        Endless backend;
        Chain chain({backend.script()});
        WsClient client(chain.port());
        for (int i = 0; i < 3; ++i) client.send(ask(std::to_string(i)));
        for (int i = 0; i < 3; ++i) EXPECT_EQ(client.read_json().at("token"), "x");
        const auto left = support::Clock::now();
        leave(client);
        EXPECT_TRUE(support::eventually([&] { return backend.closed == 3; }));
        EXPECT_LT(support::Clock::now() - left, kAtOnce);
        expect_unharmed(chain);
    }
}

/// Sends tokens until the other side closes or takes nothing any more, and counts their bytes.
class Flood {
  public:
    [[nodiscard]] ScriptedBackend::Script script() {
        return ScriptedBackend::answering([this](Peer& peer, const RecordedRequest& request) {
            peer.begin_chunked(support::kNdjson);
            if (request.body.find("short") != std::string::npos) {
                peer.chunk(generate_line("quick"));
                peer.chunk(kGenerateEnd);
                return peer.end_chunked();
            }
            const std::string line = generate_line(std::string(4000, 'y'));
            try {
                for (;;) {
                    peer.chunk(line);
                    sent += line.size();
                }
            } catch (const support::PeerGone&) {
                gone = true;
            } catch (const support::TimedOut&) {
            }
            peer.close();
        });
    }
    std::atomic<std::size_t> sent{0};
    std::atomic<bool> gone{false};

    /// What was taken when nothing has been for a while.
    std::size_t until_it_stops() {
        std::size_t before = 0;
        support::TimePoint since = support::Clock::now();
        EXPECT_TRUE(support::eventually([&] {
            if (sent != before) {
                before = sent;
                since = support::Clock::now();
            }
            return before > 0 && support::Clock::now() - since > std::chrono::milliseconds(300);
        }));
        return before;
    }
};

TEST(WebSocketSlowReader, StopsTheReadingUpstreamAndNobodyElse) {
    Flood backend;
    Chain chain({backend.script()}, roomy("server: {workers: 1}\n"));
    WsClient slow(chain.port());
    slow.send(ask("slow"));
    const std::size_t taken = backend.until_it_stops();
    // our 256 KiB, and what the kernel holds on two connections
    EXPECT_LT(taken, 24U * 1024 * 1024);
    WsClient other(chain.port());
    const auto begin = support::Clock::now();
    for (int i = 0; i < 20; ++i) {
        other.send(ask("q", "short"));
        EXPECT_EQ(support::joined_tokens(other.read_answer("q")), "quick");
    }
    EXPECT_LT(support::Clock::now() - begin, std::chrono::seconds(2));
    EXPECT_EQ(backend.sent, taken) << "nothing was read for who reads nothing";
    // who reads again goes on where it stopped
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(slow.read_json().at("token").get<std::string>().size(), 4000U);
    slow.close();
    EXPECT_TRUE(support::eventually([&] { return backend.gone.load(); }));
    expect_unharmed(chain);
}

TEST(WebSocketSlowReader, IsCutWhenItTakesNothingForTooLong) {
    Flood backend;
    Chain chain({backend.script()}, roomy("server: {limits: {write_stall_ms: 300}}\n"));
    WsClient slow(chain.port());
    slow.send(ask("slow"));
    EXPECT_TRUE(support::eventually([&] { return backend.gone.load(); }));
    expect_unharmed(chain);
    while (slow.read_frame()) {
    }
}

TEST(WebSocketMany, TwoHundredSocketsStreamAtOnce) {
    constexpr int kSockets = 200;
    std::promise<void> released;
    auto release = released.get_future().share();
    std::atomic<int> waiting{0};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
                    peer.begin_chunked(support::kNdjson);
                    peer.chunk(generate_line("a"));
                    ++waiting;
                    release.wait();
                    for (int i = 0; i < 20; ++i) peer.chunk(generate_line("b"));
                    peer.chunk(kGenerateEnd);
                    peer.end_chunked();
                })},
                roomy());
    std::deque<WsClient> clients;
    for (int i = 0; i < kSockets; ++i) {
        clients.emplace_back(chain.port());
        clients.back().send(ask(std::to_string(i)));
    }
    for (WsClient& client : clients) EXPECT_EQ(client.read_json().at("token"), "a");
    EXPECT_TRUE(support::eventually([&] { return waiting == kSockets; }));
    EXPECT_EQ(chain.count("a", "in_flight"), kSockets);
    released.set_value();
    for (int i = 0; i < kSockets; ++i) {
        const auto messages = clients[static_cast<std::size_t>(i)].read_answer(std::to_string(i));
        EXPECT_EQ(support::joined_tokens(messages), std::string(20, 'b')) << i;
    }
    expect_unharmed(chain);
}

TEST(WebSocketShutdown, TellsTheRunningRequestsAndSaysGoodbye) {
    Endless backend;
    Chain chain({backend.script()});
    WsClient client(chain.port());
    client.send(ask("1"));
    client.send(ask("2"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    EXPECT_EQ(client.read_json().at("token"), "x");
    auto stopped = std::async(std::launch::async, [&] { chain.daemon().stop(); });
    expect_failed(client.read_answer("1").back(), "1", "shutting_down");
    expect_failed(client.read_answer("2").back(), "2", "shutting_down");
    EXPECT_EQ(client.read_close(), 1001);
    client.send_close(1001);
    stopped.get();
    EXPECT_TRUE(support::eventually([&] { return backend.closed == 2; }));
}

TEST(WebSocketShutdown, LetsARunningRequestFinishWithinTheGrace) {
    std::promise<void> released;
    auto release = released.get_future().share();
    Chain chain({ScriptedBackend::answering([release](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked(support::kNdjson);
        peer.chunk(generate_line("x"));
        release.wait();
        peer.chunk(kGenerateEnd);
        peer.end_chunked();
    })});
    WsClient client(chain.port());
    client.send(ask("1"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    WsClient idle(chain.port());
    auto stopped = std::async(std::launch::async,
                              [&] { chain.daemon().stop(std::chrono::milliseconds(20000)); });
    EXPECT_EQ(idle.read_close(), 1001) << "nothing is awaited for a socket that is idle";
    idle.send_close(1001);
    client.send(ask("late"));
    expect_failed(client.read_json(), "late", "shutting_down");
    released.set_value();
    EXPECT_EQ(client.read_json().at("finish_reason"), "stop");
    EXPECT_EQ(client.read_close(), 1001);
    client.send_close(1001);
    stopped.get();
}

TEST(WebSocketShutdown, DoesNotWaitForAClientThatAnswersNothing) {
    Endless backend;
    Chain chain({backend.script()});
    WsClient silent(chain.port());
    silent.send(ask("1"));
    EXPECT_EQ(silent.read_json().at("token"), "x");
    const auto begin = support::Clock::now();
    chain.daemon().stop();
    EXPECT_LT(support::Clock::now() - begin, std::chrono::seconds(5));
}

TEST(WebSocketIdle, PingsASilentClientAndCutsOneThatDoesNotAnswer) {
    Endless backend;
    Chain chain({backend.script()}, roomy("server: {limits: {idle_timeout_ms: 400}}\n"));
    WsClient client(chain.port());
    for (int i = 0; i < 3; ++i) {
        const auto frame = client.read_frame();
        ASSERT_TRUE(frame);
        ASSERT_EQ(frame->opcode, support::kWsPing);
        client.send_frame(support::kWsPong, frame->payload);
    }
    while (const auto frame = client.read_frame()) EXPECT_EQ(frame->opcode, support::kWsPing);
}

TEST(WebSocketLog, HasOneLineForEachRequestAndOneForTheSocket) {
    testing::internal::CaptureStderr();
    telemetry::start_logging({});
    telemetry::start_access_log();
    {
        Endless backend;
        Chain chain({backend.script()});
        WsClient client(chain.port(), {{"X-Request-ID", "the-socket"}});
        client.send(ask("the-request", "short secret words"));
        EXPECT_EQ(client.read_answer("the-request").back().at("finish_reason"), "stop");
        client.send(ask("the-cancelled"));
        EXPECT_EQ(client.read_json().at("token"), "x");
        client.close();
        expect_unharmed(chain);
    }
    telemetry::stop_access_log();
    telemetry::stop_logging();
    const std::string log = testing::internal::GetCapturedStderr();
    const auto line_of = [&](std::string_view id) {
        const std::size_t at = log.find(id);
        if (at == log.npos) return std::string("no line");
        const std::size_t begin = log.rfind('\n', at) + 1;
        return log.substr(begin, log.find('\n', at) - begin);
    };
    EXPECT_NE(line_of("the-request").find("200"), std::string::npos) << log;
    EXPECT_NE(line_of("the-request").find("/v1/stream/ws"), std::string::npos) << log;
    EXPECT_NE(line_of("the-cancelled").find("499"), std::string::npos) << log;
    EXPECT_NE(line_of("the-socket").find("101"), std::string::npos) << log;
    EXPECT_EQ(log.find("secret words"), std::string::npos);
}

}  // namespace
}  // namespace ollama_proxy
