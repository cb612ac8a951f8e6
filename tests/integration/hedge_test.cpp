// A second copy of a critical request whose first byte is late: one answer, whoever gives it first.
#include "integration/relay_support.hpp"
#include "support/exposition.hpp"
#include "support/ws_client.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::Headers;
using support::HttpReply;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

const Headers kCritical{{"X-Priority", "critical"}};

/// Streams an answer that names it: at once, or while it is held only when the test says so.
class Talker {
  public:
    explicit Talker(std::string name) : name_(std::move(name)) {}

    [[nodiscard]] ScriptedBackend::Script script() {
        return ScriptedBackend::answering([this](Peer& peer, const RecordedRequest&) {
            if (!wait_until_free(peer)) return;
            peer.begin_chunked("text/event-stream");
            peer.chunk(support::delta(name_ + "1"));
            peer.chunk(support::delta(name_ + "2") + support::kFinish + support::kDone);
            peer.end_chunked();
        });
    }
    /// Held: the next requests get no byte, and what closes their connection is counted.
    void hold() { held_ = true; }
    void let_go() { held_ = false; }
    [[nodiscard]] int closed() const { return closed_; }

  private:
    bool wait_until_free(Peer& peer) {
        const auto until = support::Clock::now() + support::kPatience;
        while (held_ && support::Clock::now() < until) {
            try {
                peer.wait_closed(support::Milliseconds(5));
            } catch (const support::TimedOut&) {
                continue;
            }
            ++closed_;
            peer.close();
            return false;
        }
        return true;
    }

    const std::string name_;
    std::atomic<bool> held_{false};
    std::atomic<int> closed_{0};
};

/// The daemon before two backends, `a` and `b`; `a` is the faster by far as far as is known.
class Two {
  public:
    Two(ScriptedBackend::Script a, ScriptedBackend::Script b, const std::string& hedge)
        : a_(std::move(a)),
          b_(std::move(b)),
          daemon_(support::config_yaml({entry("a", a_, "100"), entry("b", b_, "1500")},
                                       support::kQuiet + "router: {hedge: {" + hedge + "}}\n")) {
        for (const char* id : {"a", "b"}) support::wait_until_known(daemon_, id);
    }
    [[nodiscard]] ScriptedBackend& operator[](std::size_t n) { return n == 0 ? a_ : b_; }
    [[nodiscard]] std::uint16_t port() const { return daemon_.port(); }
    [[nodiscard]] HttpReply post(std::string_view body, const Headers& headers) const {
        return support::http_post(port(), support::kChat, body, headers);
    }
    [[nodiscard]] int count(std::string_view id, std::string_view key) const {
        return daemon_.backend(id).value().at(std::string(key)).get<int>();
    }

  private:
    static std::string entry(std::string_view id, const ScriptedBackend& backend,
                             const std::string& latency_ms) {
        return support::backend_yaml(id, backend.port(),
                                     "type: openai\nmax_concurrency: 8\n"
                                     "characteristics: {power_watts: 5000, avg_latency_ms: " +
                                         latency_ms + "}");
    }
    ScriptedBackend a_;
    ScriptedBackend b_;
    support::TestDaemon daemon_;
};

/// Two backends, the first of which is preferred, and enough seen of it to know what is usual.
class Hedge : public testing::Test {
  protected:
    void start(const std::string& hedge) {
        two_.emplace(a_.script(), b_.script(), hedge);
        for (int i = 0; i < 24; ++i) {
            EXPECT_EQ(two_->post(chat_body(true), {{"X-Target-Backend", "a"}}).status, 200);
        }
    }
    HttpReply ask(const Headers& headers = kCritical) {
        return two_->post(chat_body(true), headers);
    }
    [[nodiscard]] bool all_slots_free() {
        return support::eventually([&] {
            return two_->count("a", "in_flight") == 0 && two_->count("b", "in_flight") == 0;
        });
    }
    [[nodiscard]] double hedges(const std::string& winner) {
        const support::Exposition page(support::http_get(two_->port(), "/metrics").body);
        return page.sum("ollama_proxy_hedges_total", {{"backend", "a"}, {"winner", winner}});
    }

    Talker a_{"a"};
    Talker b_{"b"};
    std::optional<Two> two_;
};

TEST_F(Hedge, ALateFirstByteIsOvertakenByASecondBackendAndNothingIsDoubled) {
    start("enabled: true, max_percent: 100");
    const double before = hedges("second");
    a_.hold();
    const HttpReply reply = ask();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "b");
    EXPECT_EQ(reply.body,
              support::delta("b1") + support::delta("b2") + support::kFinish + support::kDone);
    EXPECT_TRUE(support::eventually([&] { return a_.closed() == 1; })) << "the slower is cancelled";
    EXPECT_EQ(two_->count("a", "failures"), 0) << "and not blamed";
    EXPECT_TRUE(all_slots_free());
    EXPECT_EQ(hedges("second") - before, 1);
    a_.let_go();
    EXPECT_EQ(ask({}).status, 200);
}

TEST_F(Hedge, TheEnergyOfBothCopiesIsTheAnswersOwn) {
    start("enabled: true, max_percent: 100");
    const auto joules = [&] {
        const support::Exposition page(support::http_get(two_->port(), "/metrics").body);
        return page.sum("ollama_proxy_energy_joules_total", {{"backend", "a"}}) +
               page.sum("ollama_proxy_energy_joules_total", {{"backend", "b"}});
    };
    const double before = joules();
    a_.hold();
    support::WsClient client(two_->port());
    client.send({{"request_id", "w"},
                 {"model", "test-model"},
                 {"messages", {{{"role", "user"}, {"content", "hi"}}}},
                 {"priority", "critical"}});
    const nlohmann::json last = client.read_answer("w").back();
    EXPECT_EQ(last["backend_id"], "b");
    EXPECT_TRUE(support::eventually([&] { return a_.closed() == 1; }));
    EXPECT_GT(last["energy_j"].get<double>(), 0);
    EXPECT_NEAR(last["energy_j"].get<double>(), joules() - before, 0.01);
}

TEST_F(Hedge, TheFirstMayStillWin) {
    start("enabled: true, max_percent: 100");
    const double before = hedges("first");
    a_.hold();
    b_.hold();
    RawClient client(two_->port());
    client.send_request("POST", support::kChat, chat_body(true), kCritical);
    (*two_)[1].wait_for_requests(1);
    a_.let_go();
    const HttpReply reply = client.read_reply("POST");
    EXPECT_EQ(reply.header("X-Backend-Used"), "a");
    EXPECT_EQ(reply.body,
              support::delta("a1") + support::delta("a2") + support::kFinish + support::kDone);
    EXPECT_TRUE(support::eventually([&] { return b_.closed() == 1; }));
    EXPECT_TRUE(all_slots_free());
    EXPECT_EQ(hedges("first") - before, 1);
}

TEST_F(Hedge, AClientThatLeavesEndsBothCopies) {
    start("enabled: true, max_percent: 100");
    a_.hold();
    b_.hold();
    RawClient client(two_->port());
    client.send_request("POST", support::kChat, chat_body(true), kCritical);
    (*two_)[1].wait_for_requests(1);
    client.close();
    EXPECT_TRUE(support::eventually([&] { return a_.closed() == 1 && b_.closed() == 1; }));
    EXPECT_TRUE(all_slots_free());
    EXPECT_EQ(two_->count("a", "failures") + two_->count("b", "failures"), 0);
}

TEST_F(Hedge, ASecondCopyThatFailsHarmsNothing) {
    start("enabled: true, max_percent: 100");
    (*two_)[1].set_script(ScriptedBackend::answering(
        [](Peer& peer, const RecordedRequest&) { peer.reply(500, R"({"error":"no"})"); }));
    a_.hold();
    RawClient client(two_->port());
    client.send_request("POST", support::kChat, chat_body(true), kCritical);
    (*two_)[1].wait_for_requests(1);
    EXPECT_TRUE(support::eventually([&] { return two_->count("b", "failures") == 1; }));
    a_.let_go();
    const HttpReply reply = client.read_reply("POST");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "a");
    EXPECT_TRUE(all_slots_free());
}

TEST_F(Hedge, OnlyCriticalStreamsThatNameNoBackendAreHedged) {
    start("enabled: true, max_percent: 100");
    a_.hold();
    std::vector<std::unique_ptr<RawClient>> clients;
    const auto send = [&](std::string_view path, const std::string& body, const Headers& headers) {
        clients.push_back(std::make_unique<RawClient>(two_->port()));
        clients.back()->send_request("POST", path, body, headers);
    };
    send(support::kChat, chat_body(true), {{"X-Priority", "high"}});
    send(support::kChat, chat_body(false), kCritical);
    send(support::kChat, chat_body(true), {{"X-Priority", "critical"}, {"X-Target-Backend", "a"}});
    (*two_)[0].wait_for_requests(27);
    // what a hedged request needs to be copied has long passed once one is
    send(support::kChat, chat_body(true), kCritical);
    (*two_)[1].wait_for_requests(1);
    EXPECT_TRUE(support::eventually([&] { return a_.closed() == 1; }));
    EXPECT_EQ((*two_)[1].request_count(), 1U);
    a_.let_go();
    for (const auto& client : clients) EXPECT_EQ(client->read_reply("POST").status, 200);
    EXPECT_EQ((*two_)[1].request_count(), 1U);
}

TEST_F(Hedge, TheBudgetIsKept) {
    start("enabled: true, max_percent: 5");  // 24 requests have earned one copy
    a_.hold();
    EXPECT_EQ(ask().header("X-Backend-Used"), "b");
    RawClient client(two_->port());
    client.send_request("POST", support::kChat, chat_body(true), kCritical);
    (*two_)[0].wait_for_requests(26);
    const auto since = support::Clock::now();
    EXPECT_TRUE(support::eventually(
        [&] { return support::Clock::now() - since > support::Milliseconds(300); }));
    a_.let_go();
    EXPECT_EQ(client.read_reply("POST").header("X-Backend-Used"), "a");
    EXPECT_EQ((*two_)[1].request_count(), 1U);
}

TEST_F(Hedge, IsOffUnlessAskedFor) {
    start("max_percent: 100");
    a_.hold();
    RawClient client(two_->port());
    client.send_request("POST", support::kChat, chat_body(true), kCritical);
    (*two_)[0].wait_for_requests(25);
    const auto since = support::Clock::now();
    EXPECT_TRUE(support::eventually(
        [&] { return support::Clock::now() - since > support::Milliseconds(300); }));
    a_.let_go();
    EXPECT_EQ(client.read_reply("POST").header("X-Backend-Used"), "a");
    EXPECT_EQ((*two_)[1].request_count(), 0U);
}

}  // namespace
}  // namespace ollama_proxy
