// The rows of the wire contract's error table that are not the client's fault: queue, rate, health
// and backends that misbehave, in all three dialects.

#include "front_end.hpp"

#include <future>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

const std::vector<const char*> kPaths{"/v1/chat/completions", "/v1/messages", "/api/chat"};

HttpReply ask(const TestDaemon& daemon, const char* path, Headers more = {}) {
    more.emplace_back("X-Request-ID", "id");
    more.emplace_back("Origin", kPage);
    return support::http_post(daemon.port(), path, kChatBody, more);
}

/// Known to be unhealthy, in contrast to not being known yet.
void wait_until_probes_failed(const TestDaemon& daemon, std::string_view id) {
    EXPECT_TRUE(
        support::eventually([&] { return daemon.backend(id)->at("state") == "unhealthy"; }));
}

void expect_decided(const HttpReply& reply, std::string_view backend) {
    EXPECT_EQ(reply.header("X-Backend-Used"), backend) << reply.raw;
    EXPECT_TRUE(reply.has_header("X-Routing-Reason"));
}

/// Holds each request until it is let go.
class Gatekeeper {
  public:
    [[nodiscard]] ScriptedBackend::Script script() {
        return ScriptedBackend::answering([open = open_](Peer& peer, const RecordedRequest&) {
            open.wait_for(support::kPatience);
            peer.reply(200, "{}");
        });
    }
    void open() { promise_.set_value(); }

  private:
    std::promise<void> promise_;
    std::shared_future<void> open_ = promise_.get_future().share();
};

TEST(ErrorsOfTheServer, OverTheRateIs429WithRetryAfter) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    for (const char* path : kPaths) {
        SCOPED_TRACE(path);
        const TestDaemon daemon(
            support::config_yaml({support::backend_yaml("a", backend.port())},
                                 "server: { rate_limit: { enabled: true, rate: 0.1, burst: 2 } }"));
        wait_until_known(daemon, "a");  // reading state is not limited
        EXPECT_EQ(ask(daemon, path).status, 200);
        EXPECT_EQ(ask(daemon, path).status, 200);
        const auto reply = ask(daemon, path);
        expect_error(reply, shape_of(path), 429, "rate_limited");
        expect_echoes(reply, "id");
        EXPECT_LE(std::stoi(reply.header("Retry-After")), 10);
        EXPECT_EQ(support::http_get(daemon.port(), "/api/tags").status, 200);
    }
    EXPECT_EQ(backend.request_count(), 2 * kPaths.size());
}

TEST(ErrorsOfTheServer, AFullQueueIs429AndALongWait503) {
    struct Case {
        const char* queue;
        int status;
        const char* code;
    };
    for (const Case& c : {Case{"queue: { max_size: 0 }", 429, "queue_full"},
                          Case{"queue: { timeout_ms: 30 }", 503, "queue_timeout"}}) {
        Gatekeeper gate;
        ScriptedBackend backend(gate.script());
        const TestDaemon daemon(support::config_yaml(
            {support::backend_yaml("a", backend.port(), "max_concurrency: 1\nmax_in_flight: 1")},
            c.queue));
        wait_until_known(daemon, "a");
        RawClient first(daemon.port());
        first.send_request("POST", kChat, kChatBody);
        (void)backend.wait_for_requests(1);
        for (const char* path : kPaths) {
            SCOPED_TRACE(std::string(path) + " " + c.code);
            const auto reply = ask(daemon, path);
            expect_error(reply, shape_of(path), c.status, c.code);
            expect_echoes(reply, "id");
        }
        gate.open();
        EXPECT_EQ(first.read_reply("POST").status, 200);
        EXPECT_EQ(backend.request_count(), 1U);
    }
}

TEST(ErrorsOfTheServer, NobodyHealthyIs503AndListsEachBackendWithItsReason) {
    ScriptedBackend sick(ScriptedBackend::answering_json("{}"));
    sick.set_healthy(false);
    const support::ReservedPort nobody;
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("sick", sick.port()),
                                                  support::backend_yaml("gone", nobody.number())},
                                                 "health: { unhealthy_threshold: 1 }"));
    wait_until_probes_failed(daemon, "sick");
    wait_until_probes_failed(daemon, "gone");
    for (const char* path : kPaths) {
        SCOPED_TRACE(path);
        const auto reply = ask(daemon, path);
        const std::string message =
            expect_error(reply, shape_of(path), 503, "no_available_backends");
        EXPECT_NE(message.find("sick: unhealthy"), std::string::npos) << message;
        EXPECT_NE(message.find("gone: unhealthy"), std::string::npos) << message;
        expect_echoes(reply, "id");
    }
    EXPECT_EQ(sick.request_count(), 0U);
}

TEST(ErrorsOfTheServer, LimitsThatExcludeAllAre503WithTheReason) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(), "characteristics: { power_watts: 55 }")}));
    wait_until_known(daemon, "a");
    for (const char* path : kPaths) {
        SCOPED_TRACE(path);
        const auto reply = ask(daemon, path, {{"X-Max-Power-Watts", "3"}});
        const std::string message =
            expect_error(reply, shape_of(path), 503, "no_available_backends");
        EXPECT_NE(message.find("a: 55 W against X-Max-Power-Watts 3 W"), std::string::npos)
            << message;
    }
    EXPECT_EQ(backend.request_count(), 0U);
}

TEST(ErrorsOfTheServer, AnUnhealthyTargetWithoutFallbackIs503) {
    ScriptedBackend good(ScriptedBackend::answering_json("{}"));
    ScriptedBackend sick(ScriptedBackend::answering_json("{}"));
    sick.set_healthy(false);
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("good", good.port()), support::backend_yaml("sick", sick.port())},
        "router: { target_fallback: false }\nhealth: { unhealthy_threshold: 1 }"));
    daemon.wait_until_healthy("good");
    wait_until_probes_failed(daemon, "sick");
    for (const char* path : kPaths) {
        SCOPED_TRACE(path);
        expect_error(ask(daemon, path, {{"X-Target-Backend", "sick"}}), shape_of(path), 503,
                     "no_available_backends");
    }
    EXPECT_EQ(good.request_count(), 0U);
}

TEST(ErrorsOfTheServer, ABackendThatBreaksTheProtocolIs502) {
    ScriptedBackend backend([](Peer& peer) {
        (void)peer.read_request();
        peer.send("220 mail.example.org ESMTP\r\n");
        peer.close();
    });
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                                 "circuit_breaker: { consecutive_failures: 99 }"));
    wait_until_known(daemon, "a");
    for (const char* path : kPaths) {
        SCOPED_TRACE(path);
        const auto reply = ask(daemon, path);
        expect_error(reply, shape_of(path), 502, "bad_gateway");
        expect_echoes(reply, "id");
        expect_decided(reply, "a");
    }
}

TEST(ErrorsOfTheServer, NoFirstByteInTimeIs504) {
    ScriptedBackend backend(ScriptedBackend::answering(
        [](Peer& peer, const RecordedRequest&) { (void)peer.wait_closed(); }));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("a", backend.port(),
                               "timeouts: { first_byte_ms: 40, whole_ms: 40 }\n"
                               "max_concurrency: 8")},
        "circuit_breaker: { consecutive_failures: 99 }"));
    wait_until_known(daemon, "a");
    for (const char* path : kPaths) {
        SCOPED_TRACE(path);
        const auto reply = ask(daemon, path);
        expect_error(reply, shape_of(path), 504, "upstream_timeout");
        expect_echoes(reply, "id");
        expect_decided(reply, "a");
    }
}

TEST(ErrorsOfTheServer, ABackendsOwnErrorComesWithItsStatusAndBodyUnchanged) {
    const std::string body = R"({ "error" : {"message":"context too long", "odd":1e2} })";
    for (const int status : {400, 403, 422, 500}) {
        ScriptedBackend backend(ScriptedBackend::answering_json(body, status));
        const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
        wait_until_known(daemon, "a");
        for (const char* path : kPaths) {
            SCOPED_TRACE(std::string(path) + " " + std::to_string(status));
            const auto reply = ask(daemon, path);
            EXPECT_EQ(reply.status, status);
            EXPECT_EQ(reply.body, body);
            expect_echoes(reply, "id");
            expect_decided(reply, "a");
        }
    }
}

TEST(ErrorsOfTheServer, ARouteThatNoBackendHasIs501) {
    ScriptedBackend backend(ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.reply(404, "404 page not found", "text/plain");
    }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    wait_until_known(daemon, "a");
    for (const char* path : {"/v1/responses", "/v1/messages", "/v1/messages/count_tokens"}) {
        SCOPED_TRACE(path);
        const auto reply = support::http_post(
            daemon.port(), path, R"({"model":"test-model","messages":["hi"],"input":"x"})",
            {{"X-Request-ID", "id"}, {"Origin", std::string(kPage)}});
        expect_error(reply, shape_of(path), 501, "not_supported");
        expect_echoes(reply, "id");
    }
}

TEST(ErrorsOfTheServer, TheOllamaApiWithoutAnOllamaBackendIs501) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port(), "type: openai")}));
    wait_until_known(daemon, "a");
    for (const char* path : {"/api/chat", "/api/generate", "/api/pull"}) {
        SCOPED_TRACE(path);
        expect_error(support::http_post(daemon.port(), path, kChatBody), Shape::ollama, 501,
                     "not_supported");
    }
    EXPECT_EQ(backend.request_count(), 0U);
}

TEST(ErrorsOfTheServer, ManagementErrorsSpeakOllamasDialect) {
    const support::ReservedPort nobody;
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("gone", nobody.number())}));
    expect_error(support::http_post(daemon.port(), "/api/pull", R"({"model":"x"})"), Shape::ollama,
                 503, "no_available_backends");
    const auto unknown = support::http_post(daemon.port(), "/api/pull", R"({"model":"x"})",
                                            {{"X-Target-Backend", "zzz"}});
    const std::string message = expect_error(unknown, Shape::ollama, 400, "backend_not_found");
    EXPECT_NE(message.find("gone"), std::string::npos);
    // an error for HEAD has no body: what follows on the connection would be taken for one
    RawClient client(daemon.port());
    const auto head = client.request("HEAD", "/api/blobs/sha256:00");
    EXPECT_EQ(head.status, 503);
    EXPECT_EQ(client.get("/healthz").body, "alive\n");
}

}  // namespace
}  // namespace ollama_proxy::front_end
