#include "http/metrics_reply.hpp"

#include "http/http_metrics.hpp"
#include "support/exposition.hpp"

#include <gmock/gmock.h>

namespace ollama_proxy::http {
namespace {

using support::Exposition;
using ::testing::IsEmpty;

router::StatusView view() {
    router::StatusView out;
    router::BackendView a;
    a.id = "a\"b\\";
    a.healthy = true;
    a.circuit = "half-open";
    a.in_flight = 3;
    a.max_concurrency = 4;
    a.waiting = {1, 2, 0, 5};
    a.avg_latency_ms = 400;
    a.requests = 17;
    router::BackendView b;
    b.id = "b";
    b.circuit = "closed";
    b.temperature_c = 61.5;
    out.backends = {a, b};
    out.waiting = {1, 0, 0, 4};
    out.effective_mode = "Quiet";
    out.ready = true;
    return out;
}

TEST(MetricsReply, IsAPageThatAScraperTakes) {
    count_request(find_route("/backends"), 200, 0.002);
    observe_overhead(0.0001);
    count_refusal(Errc::rate_limited);
    const Reply reply = metrics_reply(view(), 7);
    EXPECT_EQ(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(Exposition(reply.body).problems, IsEmpty());
}

TEST(MetricsReply, ShowsTheStateOfEveryBackend) {
    const Exposition page(metrics_reply(view(), 7).body);
    const Exposition::Labels a{{"backend", "a\"b\\"}};
    EXPECT_EQ(page.sum("ollama_proxy_backend_healthy", a), 1);
    EXPECT_EQ(page.sum("ollama_proxy_backend_healthy", {{"backend", "b"}}), 0);
    EXPECT_EQ(page.sum("ollama_proxy_backend_in_flight", a), 3);
    EXPECT_EQ(page.sum("ollama_proxy_backend_slots", a), 4);
    EXPECT_EQ(page.sum("ollama_proxy_backend_requests_total", a), 17);
    EXPECT_EQ(page.sum("ollama_proxy_backend_latency_estimate_seconds", a), 0.4);
    EXPECT_EQ(page.sum("ollama_proxy_backend_circuit_state", {{"state", "half-open"}}), 1);
    EXPECT_EQ(page.sum("ollama_proxy_backend_circuit_state", a), 1) << "one state at a time";
    EXPECT_EQ(page.sum("ollama_proxy_backend_waiting", {{"level", "critical"}}), 5);
    EXPECT_EQ(page.sum("ollama_proxy_queue_waiting", {{"level", "critical"}}), 4);
    EXPECT_EQ(page.sum("ollama_proxy_queue_waiting"), 5);
    EXPECT_EQ(page.sum("ollama_proxy_efficiency_mode", {{"mode", "Quiet"}}), 1);
    EXPECT_EQ(page.sum("ollama_proxy_connections"), 7);
}

TEST(MetricsReply, LeavesOutWhatIsNotKnown) {
    const Exposition page(metrics_reply(view(), 0).body);
    EXPECT_TRUE(page.has("ollama_proxy_backend_temperature_celsius", {{"backend", "b"}}));
    EXPECT_FALSE(page.has("ollama_proxy_backend_temperature_celsius", {{"backend", "a\"b\\"}}));
}

TEST(HttpMetrics, CountByRouteAndStatusWithoutNamesFromClients) {
    const auto page = [] { return Exposition(metrics_reply({}, 0).body); };
    const auto count = [&](const char* route, const char* code) {
        return page().sum("ollama_proxy_http_requests_total", {{"route", route}, {"code", code}});
    };
    const double before = count("/v1/models/{name}", "200");
    count_request(find_route("/v1/models/some-model"), 200, 0.001);
    count_request(find_route("/v1/models/another"), 200, 0.001);
    EXPECT_EQ(count("/v1/models/{name}", "200"), before + 2);
    count_request(nullptr, 404, 0.001);
    EXPECT_GE(count("unknown", "404"), 1);
    count_request(find_route("/api/chat"), 418, 0.001);
    count_request(find_route("/api/chat"), 999, 0.001);
    EXPECT_EQ(count("/api/chat", "other"), 2) << "a backend's own statuses are one";
}

}  // namespace
}  // namespace ollama_proxy::http
