// Who waits, who is next and who has to go, through the whole daemon.
#include "integration/relay_support.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::HttpReply;
using support::kChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

/// A backend that answers a request when the test lets that one go.
class Doorman {
  public:
    void let_go(const std::string& id) {
        const std::lock_guard lock(mutex_);
        free_.insert(id);
        changed_.notify_all();
    }
    [[nodiscard]] ScriptedBackend::Script script() {
        return ScriptedBackend::answering([this](Peer& peer, const RecordedRequest& request) {
            wait_for(request.header("X-Request-ID"));
            peer.reply(200, support::kAnswer);
        });
    }

  private:
    void wait_for(const std::string& id) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, support::kPatience, [&] { return free_.contains(id); });
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> free_;
};

support::Chain::Extra queue(std::string_view settings, std::string_view slots) {
    support::Chain::Extra extra;
    extra.per_backend = slots;
    extra.sections = support::kQuiet + "queue: {" + std::string(settings) + "}";
    return extra;
}

std::string error_code(const HttpReply& reply) {
    const auto body = nlohmann::json::parse(reply.body, nullptr, false);
    return body.is_object() && body.contains("error") ? body["error"].value("code", "") : "";
}

/// A client with one request that is in the daemon: running or waiting.
class Asking {
  public:
    Asking(support::Chain& chain, const std::string& id, const std::string& priority = "normal",
           std::string_view model = "test-model", support::Headers more = {})
        : client_(chain.port()) {
        const int before = total(chain);
        more.push_back({"X-Request-ID", id});
        more.push_back({"X-Priority", priority});
        client_.send_request("POST", kChat, chat_body(false, model), more);
        EXPECT_TRUE(support::eventually([&] { return total(chain) > before; })) << id;
    }
    [[nodiscard]] HttpReply reply() { return client_.read_reply("POST"); }
    void leave() { client_.close(); }

  private:
    static int total(support::Chain& chain) {
        const auto entry = chain.daemon().backend("a").value();
        return entry["in_flight"].get<int>() + entry["queue_depth"].get<int>();
    }
    RawClient client_;
};

std::vector<std::string> served(const ScriptedBackend& backend) {
    std::vector<std::string> ids;
    for (const auto& request : backend.requests()) ids.push_back(request.header("X-Request-ID"));
    return ids;
}

TEST(Queue, ServesByLevelAndShowsWhoWaits) {
    Doorman door;
    support::Chain chain({door.script()}, queue("critical_overcommit: 0", "max_concurrency: 1"));
    Asking first(chain, "first");
    Asking batch(chain, "batch", "best-effort");
    Asking normal(chain, "normal");
    Asking high(chain, "high", "high");
    Asking critical(chain, "critical", "critical");
    Asking second(chain, "second");
    const auto entry = chain.daemon().backend("a").value();
    EXPECT_EQ(entry["queue_depth"], 5);
    EXPECT_EQ(entry["priority_counts"],
              nlohmann::json::parse(R"({"best_effort":1,"normal":2,"high":1,"critical":1})"));
    const std::vector<std::string> order{"first", "critical", "high", "normal", "second", "batch"};
    for (const std::string& id : order) door.let_go(id);
    for (Asking* one : {&first, &critical, &high, &normal, &second, &batch}) {
        EXPECT_EQ(one->reply().status, 200);
    }
    EXPECT_EQ(served(chain[0]), order);
}

TEST(Queue, AModeThatAllowsTwoAtATimeMakesTheOthersWait) {
    Doorman door;
    support::Chain::Extra extra;
    extra.per_backend = "hardware: npu\nmax_concurrency: 8\ncharacteristics: {power_watts: 3}";
    extra.sections = support::kQuiet + "efficiency: {default_mode: UltraEfficiency}\n";
    support::Chain chain({door.script()}, extra);
    Asking first(chain, "first");
    Asking second(chain, "second");
    chain[0].wait_for_requests(2);
    Asking third(chain, "third");
    EXPECT_EQ(chain.count("a", "in_flight"), 2);
    EXPECT_EQ(chain.count("a", "queue_depth"), 1);
    const auto told =
        nlohmann::json::parse(support::http_post(chain.port(), "/explain", chat_body()).body);
    EXPECT_EQ(told["backend"], "a");
    EXPECT_EQ(told["reason"], "ultraefficiency") << "nothing is relaxed";
    EXPECT_EQ(told["waits_for_mode"], true);
    Asking named(chain, "named", "normal", "test-model", {{"X-Target-Backend", "a"}});
    chain[0].wait_for_requests(3);
    door.let_go("named");
    EXPECT_EQ(named.reply().status, 200) << "who names a backend overrides the mode";
    door.let_go("first");
    EXPECT_EQ(first.reply().status, 200);
    chain[0].wait_for_requests(4);
    Asking fourth(chain, "fourth");
    EXPECT_EQ(chain.count("a", "queue_depth"), 1);
    const auto changed =
        support::http_post(chain.port(), "/efficiency", R"({"mode":"Performance"})");
    EXPECT_EQ(changed.status, 200) << changed.body;
    chain[0].wait_for_requests(5);
    for (const char* id : {"second", "third", "fourth"}) door.let_go(id);
    const HttpReply last = third.reply();
    EXPECT_EQ(last.status, 200);
    EXPECT_EQ(last.header("X-Routing-Reason"), "ultraefficiency");
    EXPECT_EQ(second.reply().status, 200);
    EXPECT_EQ(fourth.reply().status, 200);
}

TEST(Queue, AgeingServesBestEffortBeforeANewcomer) {
    Doorman door;
    support::Chain chain({door.script()}, queue("aging_ms: 1", "max_concurrency: 1"));
    Asking first(chain, "first", "high");
    Asking batch(chain, "batch", "best-effort");
    const auto waits_since = support::Clock::now();
    EXPECT_TRUE(
        support::eventually([&] { return support::Clock::now() - waits_since > Milliseconds(4); }));
    Asking late(chain, "late", "high");
    for (const char* id : {"first", "batch", "late"}) door.let_go(id);
    EXPECT_EQ(late.reply().status, 200);
    EXPECT_EQ(served(chain[0]), (std::vector<std::string>{"first", "batch", "late"}));
}

TEST(Queue, CriticalHasOneSlotMore) {
    Doorman door;
    support::Chain chain({door.script()}, queue("critical_overcommit: 1", "max_concurrency: 1"));
    Asking batch(chain, "batch", "best-effort");
    chain[0].wait_for_requests(1);
    Asking high(chain, "high", "high");
    Asking critical(chain, "critical", "critical");
    chain[0].wait_for_requests(2);
    EXPECT_EQ(chain.count("a", "in_flight"), 2);
    Asking another(chain, "another", "critical");
    EXPECT_EQ(chain.count("a", "in_flight"), 2) << "one more, not any number";
    door.let_go("critical");
    EXPECT_EQ(critical.reply().status, 200);
    door.let_go("another");
    EXPECT_EQ(another.reply().status, 200);
    EXPECT_EQ(served(chain[0]), (std::vector<std::string>{"batch", "critical", "another"}));
    door.let_go("batch");
    door.let_go("high");
    EXPECT_EQ(high.reply().status, 200);
}

TEST(Queue, BestEffortLeavesReservedSlotsFree) {
    Doorman door;
    support::Chain chain({door.script()}, queue("reserved_slots: 1", "max_concurrency: 2"));
    Asking one(chain, "one", "best-effort");
    chain[0].wait_for_requests(1);
    Asking two(chain, "two", "best-effort");
    EXPECT_EQ(chain.count("a", "in_flight"), 1);
    EXPECT_EQ(chain.count("a", "queue_depth"), 1);
    Asking normal(chain, "normal");
    chain[0].wait_for_requests(2);
    for (const char* id : {"one", "two", "normal"}) door.let_go(id);
    EXPECT_EQ(two.reply().status, 200);
    EXPECT_EQ(served(chain[0])[1], "normal");
}

TEST(Queue, AHigherArrivalEvictsTheYoungestOfTheLowestLevel) {
    Doorman door;
    support::Chain chain({door.script()},
                         queue("max_size: 2, critical_overcommit: 0", "max_concurrency: 1"));
    Asking first(chain, "first");
    Asking older(chain, "older", "best-effort");
    Asking younger(chain, "younger", "best-effort");
    RawClient critical(chain.port());
    critical.send_request("POST", kChat, chat_body(),
                          {{"X-Priority", "critical"}, {"X-Request-ID", "critical"}});
    const auto evicted = younger.reply();
    EXPECT_EQ(evicted.status, 429);
    EXPECT_EQ(error_code(evicted), "queue_full");
    EXPECT_GE(std::stoi(evicted.header("Retry-After")), 1);
    const auto refused = chain.post(chat_body(), {{"X-Priority", "best-effort"}});
    EXPECT_EQ(refused.status, 429) << "an arrival that matters no more is refused itself";
    EXPECT_EQ(refused.header("X-Queue-Depth"), "2");
    for (const char* id : {"first", "critical", "older"}) door.let_go(id);
    EXPECT_EQ(critical.read_reply("POST").status, 200);
    EXPECT_EQ(older.reply().status, 200);
    EXPECT_EQ(served(chain[0]), (std::vector<std::string>{"first", "critical", "older"}));
}

TEST(Queue, TheClientWithMostWaitersLosesFirst) {
    Doorman door;
    ScriptedBackend backend(door.script());
    const support::TestDaemon daemon(
        support::config_yaml(
            {support::backend_yaml("a", backend.port(), "max_concurrency: 1")},
            support::kQuiet +
                "queue: {max_size: 3}\n"
                "server: {auth: {enabled: true, api_keys: [\n"
                "  {name: greedy, key_env: GREEDY, permissions: [inference, read]},\n"
                "  {name: modest, key_env: MODEST, permissions: [inference, read]}]}}\n"),
        {{{"GREEDY", "sk-greedy-secret"}, {"MODEST", "sk-modest-secret"}}});
    daemon.wait_until_healthy("a", "sk-greedy-secret");
    const auto depth = [&](int running, int waiting) {
        const auto entry = daemon.backend("a", "sk-greedy-secret").value();
        return entry["in_flight"] == running && entry["queue_depth"] == waiting;
    };
    std::vector<std::unique_ptr<RawClient>> greedy;
    for (int i = 0; i < 4; ++i) {
        greedy.push_back(std::make_unique<RawClient>(daemon.port()));
        greedy.back()->send_request("POST", kChat, chat_body(),
                                    {{"Authorization", "Bearer sk-greedy-secret"},
                                     {"X-Request-ID", "greedy-" + std::to_string(i)}});
        EXPECT_TRUE(support::eventually([&] { return depth(1, i); }));
    }
    RawClient modest(daemon.port());
    modest.send_request("POST", kChat, chat_body(),
                        {{"Authorization", "Bearer sk-modest-secret"}, {"X-Request-ID", "modest"}});
    EXPECT_EQ(greedy.back()->read_reply("POST").status, 429) << "its youngest";
    EXPECT_TRUE(support::eventually([&] { return depth(1, 3); }));
    for (const char* id : {"greedy-0", "greedy-1", "greedy-2", "modest"}) door.let_go(id);
    EXPECT_EQ(modest.read_reply("POST").status, 200);
    EXPECT_EQ(served(backend).size(), 4U);
}

TEST(Queue, ADeadlinePassesInTheQueueAndNothingIsSent) {
    Doorman door;
    support::Chain chain({door.script()}, queue("timeout_ms: 200", "max_concurrency: 1"));
    Asking first(chain, "first");
    const auto begin = support::Clock::now();
    const auto late = chain.post(chat_body());
    EXPECT_EQ(late.status, 503);
    EXPECT_EQ(error_code(late), "queue_timeout");
    EXPECT_GE(std::stoi(late.header("Retry-After")), 1);
    EXPECT_GE(support::Clock::now() - begin, Milliseconds(199));
    EXPECT_EQ(chain.count("a", "queue_depth"), 0);
    door.let_go("first");
    EXPECT_EQ(first.reply().status, 200);
    EXPECT_EQ(chain[0].request_count(), 1U);
}

TEST(Queue, AClientThatLeavesMakesRoomAndNothingIsSent) {
    Doorman door;
    support::Chain chain({door.script()}, queue("max_size: 1", "max_concurrency: 1"));
    Asking first(chain, "first");
    Asking leaving(chain, "leaving");
    leaving.leave();
    EXPECT_TRUE(support::eventually([&] { return chain.count("a", "queue_depth") == 0; },
                                    Milliseconds(1000)));
    Asking next(chain, "next");
    door.let_go("first");
    door.let_go("next");
    EXPECT_EQ(next.reply().status, 200);
    EXPECT_EQ(served(chain[0]), (std::vector<std::string>{"first", "next"}));
}

TEST(Queue, ACriticalRequestTakesTheSlotOfABestEffortOneThatRunsAgainLater) {
    std::mutex mutex;
    int batches = 0;
    Milliseconds cut_after{-1};
    const auto answer = [&](Peer& peer, const RecordedRequest& request) {
        bool first = false;
        if (request.header("X-Request-ID") == "batch") {
            const std::lock_guard lock(mutex);
            first = ++batches == 1;
        }
        if (first) {
            const auto waited = peer.wait_closed();
            const std::lock_guard lock(mutex);
            cut_after = waited;
            return;
        }
        peer.reply(200, support::kAnswer);
    };
    support::Chain chain(
        {ScriptedBackend::answering(answer)},
        queue("preempt_best_effort: true, critical_overcommit: 0", "max_concurrency: 1"));
    Asking batch(chain, "batch", "best-effort");
    chain[0].wait_for_requests(1);
    Asking waiting(chain, "waiting", "best-effort");
    const auto critical =
        chain.post(chat_body(), {{"X-Priority", "critical"}, {"X-Request-ID", "critical"}});
    EXPECT_EQ(critical.status, 200);
    EXPECT_EQ(batch.reply().status, 200) << "its client notices nothing";
    EXPECT_EQ(waiting.reply().status, 200);
    EXPECT_EQ(served(chain[0]), (std::vector<std::string>{"batch", "critical", "batch", "waiting"}))
        << "back at the head of its level";
    EXPECT_EQ(chain.count("a", "failures"), 0);
    const std::lock_guard lock(mutex);
    EXPECT_GE(cut_after.count(), 0) << "the backend saw it go";
}

TEST(Queue, ABestEffortRequestWithItsFirstByteKeepsItsSlot) {
    std::promise<void> go;
    auto gone = go.get_future().share();
    const auto stream = [&](Peer& peer, const RecordedRequest& request) {
        if (request.header("X-Request-ID") != "batch") return peer.reply(200, support::kAnswer);
        peer.begin_chunked();
        peer.chunk(support::delta("begun"));
        gone.wait_for(support::kPatience);
        peer.chunk(support::kFinish + support::kDone);
        peer.end_chunked();
    };
    support::Chain chain(
        {ScriptedBackend::answering(stream)},
        queue("preempt_best_effort: true, critical_overcommit: 0", "max_concurrency: 1"));
    RawClient batch(chain.port());
    batch.send_request("POST", kChat, chat_body(true),
                       {{"X-Priority", "best-effort"}, {"X-Request-ID", "batch"}});
    auto reply = batch.begin_reply("POST");
    EXPECT_TRUE(batch.read_until(reply, "begun"));
    Asking critical(chain, "critical", "critical");
    EXPECT_EQ(chain.count("a", "queue_depth"), 1);
    go.set_value();
    EXPECT_EQ(critical.reply().status, 200);
    while (batch.read_piece(reply)) {
    }
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(served(chain[0]), (std::vector<std::string>{"batch", "critical"}));
}

TEST(Queue, AnotherModelIsNotBlocked) {
    Doorman door;
    ScriptedBackend::Options options;
    options.models = {"one", "two"};
    ScriptedBackend backend(door.script(), options);
    const support::TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 1")}, support::kQuiet));
    support::wait_until_known(daemon, "a");
    const auto waiting = [&] { return daemon.backend("a").value()["queue_depth"].get<int>(); };
    RawClient first(daemon.port());
    first.send_request("POST", kChat, chat_body(false, "one"), {{"X-Request-ID", "first"}});
    backend.wait_for_requests(1);
    RawClient second(daemon.port());
    second.send_request("POST", kChat, chat_body(false, "one"),
                        {{"X-Request-ID", "second"}, {"X-Priority", "high"}});
    EXPECT_TRUE(support::eventually([&] { return waiting() == 1; }));
    door.let_go("other");
    const auto other =
        support::http_post(daemon.port(), kChat, chat_body(false, "two"),
                           {{"X-Request-ID", "other"}, {"X-Priority", "best-effort"}});
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(other.header("X-Queue-Wait-Ms"), "0");
    EXPECT_EQ(waiting(), 1);
    door.let_go("first");
    door.let_go("second");
    EXPECT_EQ(second.read_reply("POST").status, 200);
}

TEST(Queue, EveryPossibleBackendFailingTakesTheWaiterOutAtOnce) {
    Doorman door;
    ScriptedBackend backend(door.script());
    support::TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 1")},
        "health: {interval_ms: 100, idle_interval_ms: 100, unhealthy_threshold: 1}"));
    support::wait_until_known(daemon, "a");
    RawClient first(daemon.port());
    first.send_request("POST", kChat, chat_body(), {{"X-Request-ID", "first"}});
    backend.wait_for_requests(1);
    RawClient second(daemon.port());
    second.send_request("POST", kChat, chat_body());
    EXPECT_TRUE(
        support::eventually([&] { return daemon.backend("a").value()["queue_depth"] == 1; }));
    backend.set_healthy(false);
    const auto reply = second.read_reply("POST");  // while the first still runs
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(error_code(reply), "no_available_backends");
    EXPECT_TRUE(reply.has_header("Retry-After"));
    EXPECT_EQ(backend.request_count(), 1U);
    door.let_go("first");
    EXPECT_EQ(first.read_reply("POST").status, 200);
}

TEST(Queue, ABackendThatIsBackGetsItsSlotsOneByOne) {
    Doorman door;
    ScriptedBackend backend(door.script());
    const support::TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "max_concurrency: 3")},
        "health: {interval_ms: 100, idle_interval_ms: 100, unhealthy_threshold: 1}"));
    support::wait_until_known(daemon, "a");
    backend.set_healthy(false);
    daemon.wait_until_unhealthy("a");
    backend.set_healthy(true);
    daemon.wait_until_healthy("a");
    std::vector<std::unique_ptr<RawClient>> clients;
    const auto since = support::Clock::now();
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(daemon.port()));
        clients.back()->send_request("POST", kChat, chat_body(), {{"X-Request-ID", "r"}});
    }
    backend.wait_for_requests(3);  // none of them has ended
    EXPECT_GT(support::Clock::now() - since, Milliseconds(500));
    door.let_go("r");
    for (auto& client : clients) EXPECT_EQ(client->read_reply("POST").status, 200);
}

TEST(Queue, StoppingEmptiesTheQueueWithRetryAfter) {
    Doorman door;
    support::Chain chain({door.script()}, queue("", "max_concurrency: 1"));
    Asking first(chain, "first");
    Asking waiting(chain, "waiting");
    std::thread stopping([&] { chain.daemon().stop(Milliseconds(5000)); });
    const auto reply = waiting.reply();
    EXPECT_EQ(reply.status, 503);
    EXPECT_TRUE(reply.has_header("Retry-After"));
    waiting.leave();
    door.let_go("first");
    EXPECT_EQ(first.reply().status, 200) << "what runs is finished";
    first.leave();
    stopping.join();
    EXPECT_EQ(chain[0].request_count(), 1U);
}

}  // namespace
}  // namespace ollama_proxy
