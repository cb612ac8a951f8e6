// GET /metrics: a page that a scraper takes, and numbers that are those of the requests made.

#include "integration/metric_growth.hpp"
#include "integration/relay_support.hpp"
#include "integration/websocket_support.hpp"

#include <future>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::Exposition;
using support::Growth;
using support::kChat;
using support::page_of;
using support::RawClient;
using support::ScriptedBackend;
using support::TestDaemon;

/// A backend that has `test-model` loaded, and answers when it is told to.
class Unloading {
  public:
    explicit Unloading(int status = 200)
        : backend_(ScriptedBackend::answering(
                       [this, status](support::Peer& peer, const support::RecordedRequest&) {
                           go_.get_future().wait_for(support::kPatience);
                           peer.reply(status, R"({"done":true})");
                       }),
                   loaded()) {}
    static ScriptedBackend::Options loaded() {
        ScriptedBackend::Options options;
        options.loaded_models = {"test-model"};
        return options;
    }
    [[nodiscard]] ScriptedBackend& backend() { return backend_; }
    void answer() { go_.set_value(); }

  private:
    std::promise<void> go_;
    ScriptedBackend backend_;
};

void wait_until_loaded(const TestDaemon& daemon, std::string_view id) {
    EXPECT_TRUE(
        support::eventually([&] { return !daemon.backend(id)->at("loaded_models").empty(); }));
}

const std::string kUnload = R"({"model":"test-model","keep_alive":0})";

TEST(Metrics, CountAStreamFromItsComingToItsLastPiece) {
    Chain chain(
        {support::streaming("text/event-stream", {support::delta("one"), support::delta("two"),
                                                  support::kFinish + support::kDone})});
    const Growth growth(chain.daemon());
    const auto reply = chain.post(support::chat_body(true));
    EXPECT_EQ(reply.status, 200);
    // the client has the last byte a moment before the daemon has counted it
    const auto becomes_one = [&](const char* name, const Exposition::Labels& labels = {}) {
        return support::eventually([&] { return growth.of(name, labels) == 1; });
    };
    const std::string route(kChat);
    const Exposition::Labels a{{"backend", "a"}};
    EXPECT_TRUE(
        becomes_one("ollama_proxy_http_requests_total", {{"route", route}, {"code", "200"}}));
    EXPECT_TRUE(
        becomes_one("ollama_proxy_http_request_duration_seconds_count", {{"route", route}}));
    EXPECT_TRUE(becomes_one("ollama_proxy_time_to_first_token_seconds_count", a));
    EXPECT_TRUE(becomes_one("ollama_proxy_queue_wait_seconds_count", {{"level", "normal"}}));
    EXPECT_TRUE(becomes_one("ollama_proxy_overhead_seconds_count"));
    EXPECT_TRUE(becomes_one("ollama_proxy_backend_requests_total", a));
    EXPECT_TRUE(becomes_one("ollama_proxy_routing_decisions_total",
                            {{"backend", "a"}, {"reason", "balanced"}}));
    EXPECT_LE(growth.of("ollama_proxy_inter_piece_delay_seconds_count", a), 2)
        << "pieces may come joined";
    EXPECT_LT(growth.of("ollama_proxy_overhead_seconds_sum"), 1);
}

TEST(Metrics, TheTimeBetweenPiecesIsWhatTheBackendTook) {
    std::promise<void> release;
    auto released = release.get_future().share();
    Chain chain({support::ScriptedBackend::answering(
        [released](support::Peer& peer, const support::RecordedRequest&) {
            peer.begin_chunked("text/event-stream");
            peer.chunk(support::delta("one"));
            released.wait_for(support::kPatience);
            peer.chunk(support::delta("two"));
            peer.chunk(support::kFinish + support::kDone);
            peer.end_chunked();
        })});
    const Growth growth(chain.daemon());
    RawClient client(chain.port());
    client.send_request("POST", kChat, support::chat_body(true));
    support::HttpReply reply = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(reply, "one"));
    release.set_value();
    ASSERT_TRUE(client.read_until(reply, "[DONE]"));
    EXPECT_TRUE(support::eventually([&] {
        return growth.of("ollama_proxy_inter_piece_delay_seconds_count", {{"backend", "a"}}) >= 1;
    }));
}

TEST(Metrics, RefusalsAndFailuresAreCountedByTheirReason) {
    Chain chain({support::ScriptedBackend::answering_json(R"({"error":"broken"})", 500),
                 support::good_backend()});
    const Growth growth(chain.daemon());
    EXPECT_EQ(chain.post(support::chat_body()).status, 200) << "the second one answers";
    EXPECT_EQ(growth.of("ollama_proxy_backend_failures_total",
                        {{"backend", "a"}, {"reason", "status_500"}}),
              1);
    EXPECT_EQ(growth.of("ollama_proxy_failures_total"), 0) << "the client saw none";
    EXPECT_EQ(chain.post(support::chat_body(false, "nobody-has-it")).status, 404);
    EXPECT_EQ(chain.post("{").status, 400);
    EXPECT_EQ(growth.of("ollama_proxy_refusals_total", {{"reason", "model_not_found"}}), 1);
    EXPECT_EQ(growth.of("ollama_proxy_refusals_total", {{"reason", "invalid_request"}}), 1);
    EXPECT_EQ(growth.of("ollama_proxy_refusals_total"), 2) << "each once";
}

TEST(Metrics, ACutStreamIsAFailureOfTheBackend) {
    Chain chain({support::ScriptedBackend::answering(
        [](support::Peer& peer, const support::RecordedRequest&) {
            peer.begin_chunked("text/event-stream");
            peer.chunk(support::delta("one"));
            peer.close();
        })});
    const Growth growth(chain.daemon());
    EXPECT_EQ(chain.post(support::chat_body(true)).status, 200);
    EXPECT_EQ(growth.of("ollama_proxy_failures_total", {{"reason", "bad_gateway"}}), 1);
    EXPECT_EQ(growth.of("ollama_proxy_backend_failures_total", {{"backend", "a"}}), 1);
}

TEST(Metrics, TheTimeOfAnUnloadIsTheBackendsAndNotTheProxys) {
    Unloading one;
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", one.backend().port())}));
    wait_until_loaded(daemon, "a");
    const Growth growth(daemon);
    RawClient client(daemon.port());
    client.send_request("POST", "/api/generate", kUnload);
    (void)one.backend().wait_for_requests(1);
    const auto asked = support::Clock::now();
    while (support::Clock::now() - asked < std::chrono::milliseconds(300)) {
        EXPECT_EQ(support::http_get(daemon.port(), "/healthz").status, 200);
    }
    one.answer();
    EXPECT_EQ(client.read_reply("POST").status, 200);
    EXPECT_TRUE(
        support::eventually([&] { return growth.of("ollama_proxy_overhead_seconds_count") == 1; }));
    EXPECT_LT(growth.of("ollama_proxy_overhead_seconds_sum"), 0.3);
}

TEST(Metrics, RefusedManagementIsCountedOnce) {
    const ScriptedBackend backend(support::good_backend());
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())}, support::kQuiet));
    support::wait_until_known(daemon, "a");
    const Growth growth(daemon);
    const auto pull = R"({"model":"x"})";
    EXPECT_EQ(support::http_post(daemon.port(), "/api/pull", pull, {{"X-Target-Backend", "nobody"}})
                  .status,
              400);
    EXPECT_EQ(growth.of("ollama_proxy_refusals_total", {{"reason", "backend_not_found"}}), 1);
    // loaded nowhere: it is routed like others, and counted there
    const auto unknown = R"({"model":"nobody-has-it","keep_alive":0})";
    EXPECT_EQ(support::http_post(daemon.port(), "/api/generate", unknown).status, 404);
    EXPECT_EQ(growth.of("ollama_proxy_refusals_total"), 2);
    EXPECT_EQ(growth.of("ollama_proxy_failures_total"), 0);
}

TEST(Metrics, AnUnloadThatFailsEverywhereIsCountedOnce) {
    const auto closing = [](support::Peer& peer) { (void)peer.read_request(); };
    const ScriptedBackend a(closing, Unloading::loaded());
    const ScriptedBackend b(closing, Unloading::loaded());
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", a.port()), support::backend_yaml("b", b.port())},
        support::kQuiet));
    wait_until_loaded(daemon, "a");
    wait_until_loaded(daemon, "b");
    const Growth growth(daemon);
    EXPECT_EQ(support::http_post(daemon.port(), "/api/generate", kUnload).status, 502);
    EXPECT_EQ(a.request_count() + b.request_count(), 2U);
    EXPECT_EQ(growth.of("ollama_proxy_failures_total"), 1);
}

TEST(Metrics, CountTheRequestsOfASocketOneByOne) {
    Chain chain({support::two_tokens()});
    const Growth growth(chain.daemon());
    support::WsClient client(chain.port());
    client.send(support::ask("good"));
    EXPECT_EQ(support::joined_tokens(client.read_answer("good")), "Hello");
    client.send_text("no json");
    EXPECT_EQ(client.read_json().at("code"), "invalid_request");
    support::Json unknown = support::ask("unknown");
    unknown["model"] = "nobody-has-it";
    client.send(unknown);
    EXPECT_EQ(client.read_json().at("code"), "model_not_found");
    const std::string requests = "ollama_proxy_websocket_requests_total";
    EXPECT_EQ(growth.of(requests, {{"code", "ok"}}), 1);
    EXPECT_EQ(growth.of(requests, {{"code", "invalid_request"}}), 1);
    EXPECT_EQ(growth.of(requests, {{"code", "model_not_found"}}), 1);
    EXPECT_EQ(growth.of(requests), 3) << "each once";
    EXPECT_EQ(growth.of("ollama_proxy_websocket_request_duration_seconds_count"), 3);
    EXPECT_EQ(growth.of("ollama_proxy_refusals_total"), 2);
}

TEST(Metrics, NamesOfClientsMakeNoSeries) {
    Chain chain({support::good_backend()});
    const auto series = [&] {
        std::size_t count = 0;
        for (const auto& [name, all] : page_of(chain.daemon()).series) count += all.size();
        return count;
    };
    const auto ask = [&](int i) {
        const std::string name = "m" + std::to_string(i);
        const auto body = support::chat_body(false, name);
        EXPECT_EQ(chain.post(body, {{"X-Session-ID", name}}).status, 404);
        EXPECT_EQ(support::http_get(chain.port(), "/v1/models/" + name).status, 404);
        EXPECT_EQ(support::http_get(chain.port(), "/" + name).status, 404);
    };
    ask(0);
    page_of(chain.daemon());  // asking for the page makes the series of that route
    const std::size_t before = series();
    for (int i = 1; i < 20; ++i) ask(i);
    EXPECT_EQ(series(), before);
}

TEST(Metrics, CanBeSwitchedOff) {
    const support::ScriptedBackend backend(support::good_backend());
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                                 "metrics: {enabled: false}"));
    EXPECT_EQ(support::http_get(daemon.port(), "/metrics").status, 404);
}

}  // namespace
}  // namespace ollama_proxy
