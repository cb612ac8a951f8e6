// A client that leaves, in all five phases: the backend is told at once, and not blamed.

#include "integration/relay_support.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <gtest/gtest.h>

#include <future>
#include <iostream>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::chat_body;
using support::good_backend;
using support::kChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

constexpr std::chrono::milliseconds kAtOnce{1000};  ///< 100 by contract; here also under sanitizers

/// A backend that gets as far as `before` and then tells how long the other side took to close,
/// counted from `left` on.
class Leaving {
  public:
    explicit Leaving(std::function<void(Peer&)> before)
        : script_(ScriptedBackend::answering([this, before](Peer& peer, const RecordedRequest&) {
              if (++requests_ > 1) return peer.reply(200, support::kAnswer);
              before(peer);
              reached_.set_value();
              peer.wait_closed();
              closed_.set_value(support::Clock::now());
              peer.close();
          })) {}

    [[nodiscard]] const ScriptedBackend::Script& script() const { return script_; }
    void wait_until_reached() {
        if (reached_.get_future().wait_for(support::kPatience) != std::future_status::ready) {
            throw support::TimedOut("the backend was never reached");
        }
    }
    /// Time from `left` until the backend saw the end.
    support::Milliseconds took_since(support::TimePoint left) {
        auto closed = closed_.get_future();
        if (closed.wait_for(support::kPatience) != std::future_status::ready) {
            return support::kPatience;
        }
        return std::chrono::duration_cast<support::Milliseconds>(closed.get() - left);
    }

  private:
    std::atomic<int> requests_{0};
    std::promise<void> reached_;
    std::promise<support::TimePoint> closed_;
    ScriptedBackend::Script script_;
};

void expect_unharmed(Chain& chain) {
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
    EXPECT_EQ(chain.count("a", "failures"), 0) << "no strike for the backend";
    EXPECT_EQ(chain.post(chat_body()).status, 200);
}

struct Phase {
    std::string name;
    bool stream;
    std::function<void(Peer&)> before;
    bool bytes_came;
};

TEST(Cancel, TheBackendIsToldAtOnceWhereverItWas) {
    const std::vector<Phase> phases{
        {"waiting for the head", true, [](Peer&) {}, false},
        {"waiting for a full reply", false, [](Peer&) {}, false},
        {"in the middle of a full reply", false,
         [](Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"a\":"); },
         false},
        {"waiting for the first event", true, [](Peer& peer) { peer.begin_chunked(); }, false},
        {"streaming", true,
         [](Peer& peer) {
             peer.begin_chunked();
             peer.chunk(support::delta("x"));
         },
         true},
    };
    for (const Phase& phase : phases) {
        for (const bool by_reset : {false, true}) {
            SCOPED_TRACE(phase.name);
            Leaving backend(phase.before);
            Chain::Extra extra;
            extra.per_backend = "max_concurrency: 1";
            Chain chain({backend.script()}, extra);
            RawClient client(chain.port());
            client.send_request("POST", kChat, chat_body(phase.stream));
            backend.wait_until_reached();
            if (phase.bytes_came) {
                auto reply = client.begin_reply("POST");
                ASSERT_TRUE(client.read_until(reply, "x"));
            }
            const auto left = support::Clock::now();
            if (by_reset) {
                client.reset();
            } else {
                client.close();
            }
            const auto took = backend.took_since(left);
            std::cout << phase.name << ": closed after " << took.count() << " ms\n";
            EXPECT_LT(took, kAtOnce);
            expect_unharmed(chain);
            EXPECT_EQ(chain[0].request_count(), 2U) << "one cancelled, one to see that all is well";
            EXPECT_TRUE(chain[0].failures().empty());
        }
    }
}

TEST(Cancel, AClientThatLeavesOnAReusedConnectionIsNoStrikeEither) {
    std::promise<void> reached;
    Chain chain({[&](Peer& peer) {
        peer.read_request();
        peer.reply(200, support::kAnswer);
        if (peer.read_request().body.find("second") == std::string::npos) {
            return peer.reply(200, support::kAnswer);
        }
        reached.set_value();
        peer.wait_closed();
    }});
    RawClient client(chain.port());
    EXPECT_EQ(client.post(kChat, chat_body()).status, 200);
    client.send_request(
        "POST", kChat,
        R"({"model":"test-model","messages":[{"role":"user","content":"x"}],"second":1,"stream":true})");
    ASSERT_EQ(reached.get_future().wait_for(support::kPatience), std::future_status::ready);
    client.close();
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
    EXPECT_EQ(chain.count("a", "failures"), 0);
    EXPECT_EQ(chain[0].request_count(), 2U) << "not sent again on a fresh connection";
}

TEST(Cancel, AClientThatPipelinesAndLeavesIsNoticed) {
    Leaving backend([](Peer&) {});
    Chain chain({backend.script()});
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    backend.wait_until_reached();
    client.send_request("POST", kChat, chat_body(true));  // its FIN hides behind these bytes
    const auto left = support::Clock::now();
    client.close();
    EXPECT_LT(backend.took_since(left), kAtOnce);
    expect_unharmed(chain);
    EXPECT_EQ(chain[0].request_count(), 2U) << "the pipelined one was never sent";
}

TEST(Cancel, WhileItWaitsInTheQueueNothingIsSent) {
    std::promise<void> release;
    auto released = release.get_future().share();
    Chain::Extra extra;
    extra.per_backend = "max_concurrency: 1";
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
                    released.wait_for(support::kPatience);
                    peer.reply(200, support::kAnswer);
                })},
                extra);
    RawClient first(chain.port());
    first.send_request("POST", kChat, chat_body());
    chain[0].wait_for_requests(1);
    RawClient second(chain.port());
    second.send_request("POST", kChat, chat_body());
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "queue_depth") == 1; }));
    const auto left = support::Clock::now();
    second.close();
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "queue_depth") == 0; }));
    EXPECT_LT(support::Clock::now() - left, kAtOnce);
    release.set_value();
    EXPECT_EQ(first.read_reply("POST").status, 200);
    EXPECT_EQ(chain[0].request_count(), 1U);
    expect_unharmed(chain);
}

TEST(Cancel, WhileItConnectsNoStrikeIsCounted) {
    ScriptedBackend::Options full;
    full.accepts = false;
    ScriptedBackend hangs(good_backend(), full);
    Chain::Extra extra;
    extra.dead_ports = {hangs.port()};
    extra.per_backend = "timeouts: {connect_ms: 60000}";
    Chain chain({}, extra);
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body());
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 1; }));
    const auto left = support::Clock::now();
    client.close();
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
    EXPECT_LT(support::Clock::now() - left, kAtOnce + kAtOnce);
    EXPECT_EQ(chain.count("a", "failures"), 0);
}

TEST(Cancel, TheSlotStaysChargedForAMomentBecauseThePromptIsStillComputed) {
    Leaving backend([](Peer&) {});
    Chain::Extra extra;
    extra.per_backend = "max_concurrency: 1";
    Chain chain({backend.script()}, extra);
    RawClient client(chain.port());
    client.send_request("POST", kChat, chat_body(true));
    backend.wait_until_reached();
    client.close();
    ASSERT_LT(backend.took_since(support::Clock::now()), kAtOnce);
    const auto next = chain.post(chat_body());  // waits for the slot, and gets it
    EXPECT_EQ(next.status, 200);
    EXPECT_GT(std::stoi(next.header("X-Queue-Wait-Ms")), 0);
}

TEST(Cancel, TheAccessLogSaysThatTheClientLeft) {
    testing::internal::CaptureStderr();
    telemetry::start_logging({});
    telemetry::start_access_log();
    {
        Leaving backend([](Peer&) {});
        Chain chain({backend.script()});
        RawClient client(chain.port());
        client.send_request("POST", kChat, chat_body(true), {{"X-Request-ID", "left-early"}});
        backend.wait_until_reached();
        client.close();
        EXPECT_LT(backend.took_since(support::Clock::now()), kAtOnce);
        EXPECT_TRUE(support::eventually([&] { return chain.count("a", "in_flight") == 0; }));
    }
    telemetry::stop_access_log();
    telemetry::stop_logging();
    const std::string log = testing::internal::GetCapturedStderr();
    const std::size_t line = log.find("left-early");
    ASSERT_NE(line, std::string::npos) << log;
    const std::size_t begin = log.rfind('\n', line) + 1;
    const std::string text = log.substr(begin, log.find('\n', line) - begin);
    EXPECT_NE(text.find("499"), std::string::npos) << text;
}

}  // namespace
}  // namespace ollama_proxy
