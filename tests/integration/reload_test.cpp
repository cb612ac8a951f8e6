// A new configuration under a running daemon: what goes on, what begins, and that nothing is lost.
#include "integration/relay_support.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <future>
#include <thread>

namespace ollama_proxy {
namespace {

using support::backend_yaml;
using support::chat_body;
using support::config_yaml;
using support::Gate;
using support::HttpReply;
using support::kChat;
using support::kQuiet;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;
using support::TestDaemon;

/// Answers when the gate is open.
ScriptedBackend::Script behind(const Gate& gate) {
    return ScriptedBackend::answering([&gate](Peer& peer, const RecordedRequest&) {
        gate.wait();
        peer.reply(200, support::kAnswer);
    });
}

std::string error_code(const HttpReply& reply) {
    const auto body = nlohmann::json::parse(reply.body, nullptr, false);
    return body.is_object() && body.contains("error") ? body["error"].value("code", "") : "";
}

int count(const TestDaemon& daemon, std::string_view id, const std::string& key) {
    return daemon.backend(id).value().at(key).get<int>();
}

/// A client whose request is on its way, and seen to be: one more runs or waits at `backend`.
class Asking {
  public:
    Asking(const TestDaemon& daemon, std::string_view backend, const support::Headers& headers = {})
        : client_(daemon.port()) {
        const auto there = [&] {
            return count(daemon, backend, "in_flight") + count(daemon, backend, "queue_depth");
        };
        const int before = there();
        client_.send_request("POST", kChat, chat_body(), headers);
        EXPECT_TRUE(support::eventually([&] { return there() > before; }));
    }
    [[nodiscard]] HttpReply reply() { return client_.read_reply("POST"); }

  private:
    RawClient client_;
};

TEST(Reload, ABackendThatIsAddedTakesRequestsAndTheOthersNoticeNothing) {
    ScriptedBackend a(support::good_backend());
    ScriptedBackend b(support::good_backend());
    TestDaemon daemon(config_yaml({backend_yaml("a", a.port())}, kQuiet));
    support::wait_until_known(daemon, "a");
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 200);
    const std::size_t probes = a.probe_count();

    daemon.reload(config_yaml({backend_yaml("b", b.port()), backend_yaml("a", a.port())}, kQuiet));
    const auto kept = daemon.backend("a").value();
    EXPECT_EQ(kept["state"], "healthy");
    EXPECT_EQ(kept["requests"], 1);
    EXPECT_EQ(kept["models"], nlohmann::json::parse(R"(["test-model"])"));
    support::wait_until_known(daemon, "b");
    const auto reply =
        support::http_post(daemon.port(), kChat, chat_body(), {{"X-Target-Backend", "b"}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "b");
    EXPECT_EQ(b.request_count(), 1U);
    EXPECT_EQ(
        support::http_post(daemon.port(), kChat, chat_body(), {{"X-Target-Backend", "a"}}).status,
        200);
    EXPECT_EQ(a.request_count(), 2U);
    EXPECT_EQ(a.probe_count(), probes) << "it is watched as before, not from the beginning";
}

TEST(Reload, OneThatIsRemovedFinishesItsStreamAndGetsNoNewRequest) {
    Gate gate;
    std::promise<void> hung_up;
    ScriptedBackend a([&](Peer& peer) {
        (void)peer.read_request();
        peer.begin_chunked();
        peer.chunk(support::delta("one"));
        gate.wait();
        peer.chunk(support::delta("two") + support::kFinish + support::kDone);
        peer.end_chunked();
        (void)peer.wait_closed();
        hung_up.set_value();
    });
    ScriptedBackend b(support::good_backend());
    TestDaemon daemon(config_yaml({backend_yaml("a", a.port())}, kQuiet));
    support::wait_until_known(daemon, "a");
    RawClient client(daemon.port());
    client.send_request("POST", kChat, chat_body(true));
    HttpReply stream = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(stream, "one"));

    daemon.reload(config_yaml({backend_yaml("b", b.port())}, kQuiet));
    EXPECT_FALSE(daemon.backend("a"));
    const auto other = support::http_post(daemon.port(), kChat, chat_body());
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(other.header("X-Backend-Used"), "b");
    EXPECT_EQ(error_code(support::http_post(daemon.port(), kChat, chat_body(),
                                            {{"X-Target-Backend", "a"}})),
              "backend_not_found");

    gate.open();
    while (client.read_piece(stream)) {
    }
    EXPECT_TRUE(stream.clean_end);
    EXPECT_THAT(stream.body, testing::EndsWith(support::kDone));
    EXPECT_EQ(a.request_count(), 1U);
    EXPECT_EQ(hung_up.get_future().wait_for(support::kPatience), std::future_status::ready)
        << "nobody keeps a connection to a backend that is gone";
}

TEST(Reload, IdleConnectionsToABackendThatIsGoneAreClosedAtOnce) {
    std::promise<void> hung_up;
    ScriptedBackend a([&](Peer& peer) {
        (void)peer.read_request();
        peer.reply(200, support::kAnswer);
        (void)peer.wait_closed();
        hung_up.set_value();
    });
    TestDaemon daemon(config_yaml({backend_yaml("a", a.port())}, kQuiet));
    support::wait_until_known(daemon, "a");
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 200);
    daemon.reload(config_yaml({}, kQuiet));
    EXPECT_EQ(hung_up.get_future().wait_for(support::kPatience), std::future_status::ready);
}

TEST(Reload, WhoWaitsForABackendThatGoesIsToldSo) {
    Gate gate;
    ScriptedBackend a(behind(gate));
    ScriptedBackend::Options others;
    others.models = {"another-model"};
    ScriptedBackend b(support::good_backend(), others);
    const std::string kept = backend_yaml("b", b.port());
    TestDaemon daemon(
        config_yaml({backend_yaml("a", a.port(), "max_concurrency: 1"), kept}, kQuiet));
    support::wait_until_known(daemon, "a");
    support::wait_until_known(daemon, "b");
    Asking running(daemon, "a");
    Asking for_target(daemon, "a", {{"X-Target-Backend", "a"}});
    Asking for_model(daemon, "a");

    daemon.reload(config_yaml({kept}, kQuiet));
    const HttpReply target = for_target.reply();
    EXPECT_EQ(target.status, 400);
    EXPECT_EQ(error_code(target), "backend_not_found");
    EXPECT_THAT(target.body, testing::HasSubstr("there are: b"));
    const HttpReply model = for_model.reply();
    EXPECT_EQ(model.status, 404);
    EXPECT_EQ(error_code(model), "model_not_found");
    gate.open();
    EXPECT_EQ(running.reply().status, 200);
    EXPECT_EQ(a.request_count(), 1U);
    EXPECT_EQ(b.request_count(), 0U);
}

TEST(Reload, WhoWaitsGoesToABackendThatHasCome) {
    Gate gate;
    ScriptedBackend a(behind(gate));
    ScriptedBackend b(support::good_backend());
    const std::string busy = backend_yaml("a", a.port(), "max_concurrency: 1");
    TestDaemon daemon(config_yaml({busy}, kQuiet));
    support::wait_until_known(daemon, "a");
    Asking running(daemon, "a");
    Asking waiting(daemon, "a");
    daemon.reload(config_yaml({busy, backend_yaml("b", b.port())}, kQuiet));
    const HttpReply reply = waiting.reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("X-Backend-Used"), "b");
    gate.open();
    EXPECT_EQ(running.reply().status, 200);
}

TEST(Reload, ABackendUnderOtherSettingsIsTheSameServerWithItsSlotsAndModels) {
    Gate gate;
    ScriptedBackend a(behind(gate));
    TestDaemon daemon(config_yaml({backend_yaml("a", a.port(), "max_concurrency: 1")}, kQuiet));
    support::wait_until_known(daemon, "a");
    Asking running(daemon, "a");
    Asking waiting(daemon, "a");
    EXPECT_EQ(count(daemon, "a", "queue_depth"), 1);

    daemon.reload(config_yaml({backend_yaml("a", a.port(), "max_concurrency: 2")}, kQuiet));
    EXPECT_EQ(daemon.backend("a").value()["state"], "healthy");
    EXPECT_EQ(daemon.backend("a").value()["models"], nlohmann::json::parse(R"(["test-model"])"));
    a.wait_for_requests(2);
    EXPECT_EQ(count(daemon, "a", "in_flight"), 2) << "the one from before counts";
    Asking third(daemon, "a");
    EXPECT_EQ(count(daemon, "a", "queue_depth"), 1);
    gate.open();
    for (Asking* one : {&running, &waiting, &third}) EXPECT_EQ(one->reply().status, 200);
    EXPECT_EQ(count(daemon, "a", "in_flight"), 0);
}

TEST(Reload, AnotherServerUnderTheSameIdIsAnUnknownOne) {
    ScriptedBackend former(support::good_backend());
    ScriptedBackend::Options others;
    others.models = {"another-model"};
    ScriptedBackend latter(support::good_backend(), others);
    TestDaemon daemon(config_yaml({backend_yaml("a", former.port())}, kQuiet));
    support::wait_until_known(daemon, "a");
    daemon.reload(config_yaml({backend_yaml("a", latter.port())}, kQuiet));
    EXPECT_TRUE(support::eventually([&] {
        return daemon.backend("a").value()["models"] ==
               nlohmann::json::parse(R"(["another-model"])");
    }));
    EXPECT_EQ(error_code(support::http_post(daemon.port(), kChat, chat_body())), "model_not_found");
    EXPECT_EQ(former.request_count(), 0U);
}

TEST(Reload, BoundsOfTheQueueHoldFromThenOn) {
    Gate gate;
    ScriptedBackend a(behind(gate));
    const std::string backend = backend_yaml("a", a.port(), "max_concurrency: 1");
    TestDaemon daemon(config_yaml({backend}, kQuiet));
    support::wait_until_known(daemon, "a");
    Asking running(daemon, "a");
    Asking waiting(daemon, "a");
    daemon.reload(config_yaml({backend}, kQuiet + "queue: { max_size: 1 }\n"));
    const auto refused = support::http_post(daemon.port(), kChat, chat_body());
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(error_code(refused), "queue_full");
    gate.open();
    EXPECT_EQ(running.reply().status, 200);
    EXPECT_EQ(waiting.reply().status, 200) << "who waits already is not sent away";
}

TEST(Reload, TheModeOfANewConfigurationApplies) {
    TestDaemon daemon(config_yaml({}, "efficiency: { default_mode: Quiet, remember: false }\n"));
    const auto mode = [&] {
        return nlohmann::json::parse(support::http_get(daemon.port(), "/efficiency").body)["mode"];
    };
    EXPECT_EQ(mode(), "Quiet");
    daemon.reload(config_yaml({}, "efficiency: { default_mode: Performance, remember: false }\n"));
    EXPECT_TRUE(support::eventually([&] { return mode() == "Performance"; }));
}

TEST(Reload, KeysThatAreTakenAwayOpenNothingAnyMoreNotOnAnOpenConnectionEither) {
    ScriptedBackend a(support::good_backend());
    const std::string backend = backend_yaml("a", a.port());
    const auto keys = [&](const std::string& name) {
        return config_yaml({backend},
                           kQuiet + "server: { auth: { enabled: true, api_keys: [ { name: " + name +
                               ", key_env: " + name + ", permissions: [inference, read] } ] } }\n");
    };
    const config::Environment secrets{
        {{"OLD", std::string(32, 'o')}, {"NEW", std::string(32, 'n')}}};
    TestDaemon daemon(keys("OLD"), secrets);
    daemon.wait_until_healthy("a", std::string(32, 'o'));
    const support::Headers former{{"Authorization", "Bearer " + std::string(32, 'o')}};
    const support::Headers latter{{"Authorization", "Bearer " + std::string(32, 'n')}};
    RawClient client(daemon.port());
    EXPECT_EQ(client.post(kChat, chat_body(), former).status, 200);
    daemon.reload(keys("NEW"), secrets);
    EXPECT_EQ(client.post(kChat, chat_body(), latter).status, 200);
    EXPECT_EQ(client.post(kChat, chat_body(), former).status, 401);
}

TEST(Reload, LimitsAndRatesHoldForTheNextRequest) {
    TestDaemon daemon(config_yaml({}));
    RawClient client(daemon.port());
    EXPECT_EQ(client.post(kChat, chat_body()).status, 503);
    daemon.reload(config_yaml({}, "server: { limits: { body_bytes: 20 } }\n"));
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 413);
    daemon.reload(
        config_yaml({}, "server: { rate_limit: { enabled: true, rate: 0.001, burst: 1 } }\n"));
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 503);
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 429);
    daemon.reload(config_yaml({}, "metrics: { enabled: false }\n"));
    EXPECT_EQ(client.get("/metrics").status, 404);
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 503);
}

/// Streams and whole replies, one after the other, until told to stop. Counts them.
int ask_until(const std::atomic<bool>& enough, std::uint16_t port) {
    RawClient client(port);
    int asked = 0;
    for (bool stream = false; !enough; stream = !stream, ++asked) {
        const auto reply = client.post(kChat, chat_body(stream));
        EXPECT_EQ(reply.status, 200) << reply.body;
        EXPECT_TRUE(reply.clean_end);
        const std::string& last = stream ? support::kDone : support::kAnswer;
        EXPECT_THAT(reply.body, testing::EndsWith(last));
        if (reply.status != 200 || !reply.clean_end) break;
    }
    return asked;
}

TEST(Reload, AHundredUnderLoadLoseNoRequestDoubleNoneAndLeakNoSlot) {
    const auto script = ScriptedBackend::answering([](Peer& peer, const RecordedRequest& request) {
        if (request.body.find("\"stream\":true") == std::string::npos) {
            peer.reply(200, support::kAnswer);
            return;
        }
        peer.begin_chunked();
        peer.chunk(support::delta("one"));
        peer.chunk(support::kFinish + support::kDone);
        peer.end_chunked();
    });
    std::vector<std::unique_ptr<ScriptedBackend>> servers;
    for (int i = 0; i < 3; ++i) servers.push_back(std::make_unique<ScriptedBackend>(script));
    // two of three in turn, in changing order, with one slot or two: who stays, comes and goes
    const auto configuration = [&](int round) {
        const std::string slots = "max_concurrency: " + std::to_string(1 + round / 6 % 2);
        std::vector<std::string> entries;
        for (const int n : {(round + 1) % 3, round % 3}) {
            entries.push_back(backend_yaml(std::string(1, static_cast<char>('a' + n)),
                                           servers[n]->port(), slots));
        }
        return config_yaml(entries, kQuiet);
    };
    TestDaemon daemon(configuration(0));
    support::wait_until_known(daemon, "a");
    std::atomic<bool> enough{false};
    std::vector<std::future<int>> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(
            std::async(std::launch::async, ask_until, std::ref(enough), daemon.port()));
    }
    const auto all = [&] {
        std::size_t sum = 0;
        for (const auto& server : servers) sum += server->request_count();
        return sum;
    };
    for (int round = 1; round <= 100; ++round) {
        const std::size_t before = all();
        daemon.reload(configuration(round));
        EXPECT_TRUE(support::eventually([&] { return all() > before; })) << "round " << round;
    }
    enough = true;
    std::size_t asked = 0;
    for (auto& client : clients) asked += static_cast<std::size_t>(client.get());
    EXPECT_EQ(all(), asked);
    daemon.reload(
        config_yaml({backend_yaml("a", servers[0]->port()), backend_yaml("b", servers[1]->port()),
                     backend_yaml("c", servers[2]->port())},
                    kQuiet));
    for (const char* id : {"a", "b", "c"}) {
        EXPECT_EQ(count(daemon, id, "in_flight"), 0) << id;
        EXPECT_EQ(count(daemon, id, "queue_depth"), 0) << id;
    }
    for (const auto& server : servers) EXPECT_THAT(server->failures(), testing::IsEmpty());
}

}  // namespace
}  // namespace ollama_proxy
