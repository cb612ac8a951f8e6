// The table "must come out" of the routing contract through the live daemon, and who waits for
// whom.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <future>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::Headers;
using support::HttpReply;
using support::kChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;

constexpr std::string_view kSmall = "qwen2.5:0.5b";

/// The four backends of the shipped configuration. Requests that say "hold" in their body are
/// answered only after `release`.
class ReferenceMachine {
  public:
    explicit ReferenceMachine(std::string_view mode, const std::vector<std::string>& which = {
                                                         "npu", "igpu", "nvidia", "cpu"}) {
        for (const std::string& name : which) {
            ScriptedBackend::Options options;
            options.models = {std::string(kSmall)};
            if (name == "nvidia") options.models.emplace_back("llama3:70b");
            backends_.push_back(std::make_unique<ScriptedBackend>(
                ScriptedBackend::answering([this](Peer& peer, const RecordedRequest& request) {
                    if (request.body.find("hold") != std::string::npos) {
                        released_.wait_for(support::kPatience);
                    }
                    peer.reply(200, support::kAnswer);
                }),
                options));
            entries_.push_back(entry(name, backends_.back()->port()));
        }
        daemon_ = std::make_unique<TestDaemon>(support::config_yaml(
            entries_, support::kQuiet + "router: {auto_optimize: false}\n" +
                          "efficiency: {default_mode: " + std::string(mode) + "}"));
        for (const std::string& name : which) support::wait_until_known(*daemon_, "ollama-" + name);
    }
    ~ReferenceMachine() { release(); }

    void release() {
        if (!std::exchange(is_released_, true)) release_.set_value();
    }
    HttpReply ask(const Headers& headers = {}, std::string_view model = kSmall) {
        return support::http_post(daemon_->port(), kChat, chat_body(false, model), headers);
    }
    [[nodiscard]] TestDaemon& daemon() { return *daemon_; }

  private:
    static std::string entry(const std::string& name, std::uint16_t port) {
        std::string more = "hardware: " + name + "\nmax_concurrency: 4\n";
        if (name == "npu") {
            more +=
                "characteristics: {power_watts: 3, avg_latency_ms: 800, priority: 3}\n"
                "model_capability: {max_model_size_gb: 2, supported_model_patterns: "
                "[\"*:0.5b\", \"*:1b\", \"*:1.5b\"], excluded_patterns: [\"*:70b\"]}\n";
        } else if (name == "igpu") {
            more +=
                "characteristics: {power_watts: 12, avg_latency_ms: 400, priority: 2}\n"
                "model_capability: {max_model_size_gb: 8, excluded_patterns: [\"*:70b\"]}\n";
        } else if (name == "nvidia") {
            more += "characteristics: {power_watts: 55, avg_latency_ms: 150, priority: 1}\n";
        } else {
            more +=
                "characteristics: {power_watts: 28, avg_latency_ms: 2000, priority: 0}\n"
                "model_capability: {max_model_size_gb: 16, excluded_patterns: [\"*:70b\"]}\n";
        }
        return support::backend_yaml("ollama-" + name, port, more);
    }

    std::promise<void> release_;
    std::shared_future<void> released_ = release_.get_future().share();
    bool is_released_ = false;
    std::vector<std::unique_ptr<ScriptedBackend>> backends_;
    std::vector<std::string> entries_;
    std::unique_ptr<TestDaemon> daemon_;
};

struct Row {
    Headers headers;
    std::string backend;
    std::string reason;
    std::string_view model = kSmall;
};

void expect_rows(std::string_view mode, const std::vector<Row>& rows) {
    ReferenceMachine machine(mode);
    for (const Row& row : rows) {
        const auto reply = machine.ask(row.headers, row.model);
        const std::string asked = row.headers.empty() ? "plain" : row.headers[0].first;
        EXPECT_EQ(reply.status, 200) << mode << " " << asked << reply.body;
        EXPECT_EQ(reply.header("X-Backend-Used"), "ollama-" + row.backend) << mode << " " << asked;
        EXPECT_EQ(reply.header("X-Routing-Reason"), row.reason) << mode << " " << asked;
        EXPECT_EQ(reply.header("X-Efficiency-Mode"), mode);
    }
}

TEST(Routing, TheTableComesOutInBalanced) {
    expect_rows(
        "Balanced",
        {{{}, "igpu", "balanced"},
         {{{"X-Latency-Critical", "true"}}, "nvidia", "latency-critical"},
         {{{"X-Power-Efficient", "true"}}, "npu", "power-efficient"},
         {{{"X-Priority", "critical"}, {"X-Media-Type", "realtime"}},
          "nvidia",
          "critical-priority"},
         {{{"X-Max-Power-Watts", "15"}}, "igpu", "balanced"},
         {{{"X-Max-Latency-Ms", "500"}, {"X-Power-Efficient", "true"}}, "igpu", "power-efficient"},
         {{{"X-Max-Latency-Ms", "50"}}, "nvidia", "latency-relaxed"},
         {{{"X-Priority", "best-effort"}}, "npu", "best-effort"},
         {{{"X-Target-Backend", "ollama-cpu"}}, "cpu", "explicit-target"}});
}

TEST(Routing, TheTableComesOutInTheOtherModes) {
    expect_rows("Performance", {{{}, "nvidia", "performance"}});
    expect_rows("Efficiency",
                {{{}, "npu", "efficiency"}, {{}, "nvidia", "mode-relaxed", "llama3:70b"}});
    expect_rows("Quiet", {{{}, "npu", "quiet"},
                          {{{"X-Latency-Critical", "true"}}, "igpu", "latency-critical"},
                          {{{"X-Target-Backend", "ollama-cpu"}}, "cpu", "explicit-target"}});
}

TEST(Routing, UltraEfficiencyTakesTheNpu) {
    ReferenceMachine machine("UltraEfficiency");
    const auto reply = machine.ask();
    EXPECT_EQ(reply.header("X-Backend-Used"), "ollama-npu");
    EXPECT_EQ(reply.header("X-Routing-Reason").substr(0, 5), "ultra");
}

TEST(Routing, TheWattsOfARequestAreHardAndNameEverybody) {
    ReferenceMachine machine("Balanced");
    const auto within = machine.ask({{"X-Max-Power-Watts", "15"}});
    EXPECT_EQ(within.header("X-Alternatives"), "ollama-npu");
    const auto reply = machine.ask({{"X-Max-Power-Watts", "1"}});
    EXPECT_EQ(reply.status, 503);
    EXPECT_GE(std::stoi(reply.header("Retry-After")), 1);
    for (const char* part : {"ollama-npu: 3 W", "ollama-igpu: 12 W", "ollama-nvidia: 55 W",
                             "ollama-cpu: 28 W", "no_available_backends"}) {
        EXPECT_NE(reply.body.find(part), std::string::npos) << part << " in " << reply.body;
    }
}

TEST(Routing, WithNvidiaAndCpuAloneBalancedTakesNvidia) {
    ReferenceMachine machine("Balanced", {"nvidia", "cpu"});
    const auto reply = machine.ask();
    EXPECT_EQ(reply.header("X-Backend-Used"), "ollama-nvidia");
    EXPECT_EQ(reply.header("X-Routing-Reason"), "balanced");
}

TEST(Routing, ABusyBackendGivesWayAndSaysSo) {
    ReferenceMachine machine("Balanced");
    std::vector<std::unique_ptr<RawClient>> busy;
    for (int i = 0; i < 5; ++i) {
        busy.push_back(std::make_unique<RawClient>(machine.daemon().port()));
        busy.back()->send_request(
            "POST", kChat,
            R"({"model":"qwen2.5:0.5b","messages":[{"role":"user","content":"x"}],"user":"hold"})",
            {{"X-Target-Backend", "ollama-igpu"}});
    }
    EXPECT_TRUE(support::eventually([&] {
        const auto entry = machine.daemon().backend("ollama-igpu").value();
        return entry["in_flight"] == 4 && entry["queue_depth"] == 1;
    }));
    const auto reply = machine.ask();
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.header("X-Backend-Used"), "ollama-igpu");
    EXPECT_EQ(reply.header("X-Routing-Reason"), "queue-depth");
    machine.release();
    for (auto& client : busy) {
        const auto late = client->read_reply("POST");
        EXPECT_EQ(late.status, 200);
        EXPECT_EQ(late.header("X-Backend-Used"), "ollama-igpu") << "it waits for its target alone";
    }
}

TEST(Routing, AnUnknownTargetListsTheIdsAndAKnownOneThatIsDownIsReplaced) {
    ReferenceMachine machine("Balanced", {"igpu", "cpu"});
    const auto unknown = machine.ask({{"X-Target-Backend", "nope"}});
    EXPECT_EQ(unknown.status, 400);
    EXPECT_NE(unknown.body.find("backend_not_found"), std::string::npos);
    EXPECT_NE(unknown.body.find("ollama-igpu, ollama-cpu"), std::string::npos);

    ScriptedBackend good(support::good_backend());
    const support::ReservedPort nobody;
    for (const bool fallback : {true, false}) {
        const TestDaemon daemon(support::config_yaml(
            {support::backend_yaml("up", good.port()),
             support::backend_yaml("down", nobody.number())},
            std::string("health: {unhealthy_threshold: 1}\nrouter: {target_fallback: ") +
                (fallback ? "true}" : "false}")));
        support::wait_until_known(daemon, "up");
        daemon.wait_until_unhealthy("down");
        const auto reply =
            support::http_post(daemon.port(), kChat, chat_body(), {{"X-Target-Backend", "down"}});
        EXPECT_EQ(reply.status, fallback ? 200 : 503);
        EXPECT_EQ(reply.header("X-Routing-Reason"), fallback ? "target-unavailable" : "");
    }
}

TEST(Routing, ResponsesAndMessagesAreLearnt) {
    for (const std::string path : {"/v1/responses", "/v1/messages"}) {
        SCOPED_TRACE(path);
        const auto lacking = [](Peer& peer, const RecordedRequest&) {
            peer.reply(404, "404 page not found", "text/plain");
        };
        const std::string body =
            R"({"model":"test-model","input":"x","messages":[{"role":"user","content":"x"}],"max_tokens":1})";
        support::Chain two({ScriptedBackend::answering(lacking), support::good_backend()});
        for (int i = 0; i < 3; ++i) {
            const auto reply = two.post(body, {}, path);
            EXPECT_EQ(reply.status, 200);
            EXPECT_EQ(reply.header("X-Backend-Used"), "b");
        }
        EXPECT_EQ(two[0].request_count(), 1U) << "asked once, then known";
        EXPECT_EQ(two.count("a", "failures"), 0);

        support::Chain none({ScriptedBackend::answering(lacking)});
        for (int i = 0; i < 2; ++i) {
            const auto reply = none.post(body, {}, path);
            EXPECT_EQ(reply.status, 501);
            const auto json = nlohmann::json::parse(reply.body);
            EXPECT_EQ(json.value("type", ""), path == "/v1/messages" ? "error" : "");
            EXPECT_NE(reply.body.find("a: does not have this route"), std::string::npos);
        }
        EXPECT_EQ(none[0].request_count(), 1U);
        EXPECT_EQ(none.post(chat_body()).status, 404) << "the other routes are still asked";
        EXPECT_EQ(none[0].request_count(), 2U);
    }
}

/// A backend whose answers wait for the test, one by one.
class Gate {
  public:
    void open(int more = 1) {
        const std::lock_guard lock(mutex_);
        open_ += more;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, support::kPatience, [&] { return open_ > 0; });
        --open_;
    }
    [[nodiscard]] ScriptedBackend::Script script() {
        return ScriptedBackend::answering([this](Peer& peer, const RecordedRequest&) {
            pass();
            peer.reply(200, support::kAnswer);
        });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int open_ = 0;
};

TEST(Routing, WhoCameFirstIsServedFirst) {
    Gate gate;
    support::Chain::Extra extra;
    extra.per_backend = "max_concurrency: 1";
    support::Chain chain({gate.script()}, extra);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(std::make_unique<RawClient>(chain.port()));
        clients.back()->send_request("POST", kChat, chat_body(),
                                     {{"X-Request-ID", "r" + std::to_string(i)}});
        EXPECT_TRUE(support::eventually([&] {
            const auto entry = chain.daemon().backend("a").value();
            return entry["in_flight"] == 1 && entry["queue_depth"] == i;
        }));
    }
    for (int i = 0; i < 6; ++i) {
        gate.open();
        const auto reply = clients[static_cast<std::size_t>(i)]->read_reply("POST");
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.header("X-Queue-Depth"), std::to_string(i == 0 ? 0 : i - 1));
        EXPECT_TRUE(reply.has_header("X-Queue-Wait-Ms"));
        const auto seen = chain[0].requests();
        EXPECT_EQ(seen.at(static_cast<std::size_t>(i)).header("X-Request-ID"),
                  "r" + std::to_string(i));
    }
    EXPECT_EQ(chain[0].request_count(), 6U);
}

TEST(Routing, SlotsCountPerModelAndOverAllModels) {
    Gate gate;
    ScriptedBackend::Options options;
    options.models = {"one", "two", "three"};
    ScriptedBackend backend(gate.script(), options);
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 1\nmax_in_flight: 2")},
        support::kQuiet));
    support::wait_until_known(daemon, "a");
    EXPECT_TRUE(support::eventually([&] { return daemon.backend("a")->at("models").size() == 3; }));
    std::vector<std::unique_ptr<RawClient>> clients;
    for (const char* model : {"one", "one", "two", "three"}) {
        clients.push_back(std::make_unique<RawClient>(daemon.port()));
        clients.back()->send_request("POST", kChat, chat_body(false, model));
        const int sent = static_cast<int>(clients.size());
        EXPECT_TRUE(support::eventually([&] {
            const auto entry = daemon.backend("a").value();
            return entry["in_flight"].get<int>() + entry["queue_depth"].get<int>() == sent;
        }));
    }
    const auto entry = daemon.backend("a").value();
    EXPECT_EQ(entry["in_flight"], 2) << "one of each of two models";
    EXPECT_EQ(entry["queue_depth"], 2);
    const auto running = backend.wait_for_requests(2);
    ASSERT_EQ(running.size(), 2U);
    // two connections: either may be read first
    const auto asks_two = [](const support::RecordedRequest& request) {
        return request.body.find("\"two\"") != std::string::npos;
    };
    EXPECT_TRUE(asks_two(running[0]) || asks_two(running[1]))
        << "another model does not wait behind the first";
    gate.open(4);
    for (auto& client : clients) EXPECT_EQ(client->read_reply("POST").status, 200);
    EXPECT_EQ(backend.request_count(), 4U);
}

TEST(Routing, AFullQueueRefusesAtOnceAndALongWaitEnds) {
    Gate gate;
    support::Chain::Extra extra;
    extra.per_backend = "max_concurrency: 1";
    extra.sections = support::kQuiet + "queue: {max_size: 1, timeout_ms: 300}";
    support::Chain chain({gate.script()}, extra);
    RawClient first(chain.port());
    first.send_request("POST", kChat, chat_body());
    chain[0].wait_for_requests(1);
    RawClient second(chain.port());
    second.send_request("POST", kChat, chat_body());
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "queue_depth") == 1; }));
    const auto full = chain.post(chat_body());
    EXPECT_EQ(full.status, 429);
    EXPECT_EQ(nlohmann::json::parse(full.body)["error"]["code"], "queue_full");
    EXPECT_GE(std::stoi(full.header("Retry-After")), 1);
    EXPECT_EQ(full.header("X-Queue-Depth"), "1");
    const auto late = second.read_reply("POST");
    EXPECT_EQ(late.status, 503);
    EXPECT_EQ(nlohmann::json::parse(late.body)["error"]["code"], "queue_timeout");
    EXPECT_GE(std::stoi(late.header("X-Queue-Wait-Ms")), 290);
    gate.open(2);
    EXPECT_EQ(first.read_reply("POST").status, 200);
    EXPECT_EQ(chain[0].request_count(), 1U) << "what was refused was never sent";
    EXPECT_EQ(chain.post(chat_body()).status, 200);
}

TEST(Routing, AWaiterTakesWhateverBackendComesFree) {
    Gate slow;
    Gate fast;
    support::Chain::Extra extra;
    extra.per_backend = "max_concurrency: 1";
    support::Chain chain({slow.script(), fast.script()}, extra);
    RawClient one(chain.port());
    RawClient two(chain.port());
    RawClient three(chain.port());
    one.send_request("POST", kChat, chat_body());
    chain[0].wait_for_requests(1);
    two.send_request("POST", kChat, chat_body());
    chain[1].wait_for_requests(1);
    three.send_request("POST", kChat, chat_body());
    EXPECT_TRUE(support::eventually([&] { return chain.count("b", "queue_depth") == 1; }));
    fast.open(2);
    EXPECT_EQ(two.read_reply("POST").header("X-Backend-Used"), "b");
    const auto reply = three.read_reply("POST");
    EXPECT_EQ(reply.header("X-Backend-Used"), "b") << "said of the one that served";
    EXPECT_EQ(chain[0].request_count(), 1U);
    slow.open();
    EXPECT_EQ(one.read_reply("POST").header("X-Backend-Used"), "a");
}

}  // namespace
}  // namespace ollama_proxy
