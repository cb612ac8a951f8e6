#include "http/metrics_reply.hpp"

#include "ollama_proxy/telemetry/access_log.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"
#include "version.hpp"

#include <array>
#include <string>
#include <utility>

namespace ollama_proxy::http {
using router::BackendView;
using router::StatusView;
using telemetry::Registry;

namespace {

constexpr std::size_t kMaxSeries = 1024;

constexpr std::array kLevels{"best-effort", "normal", "high", "critical"};

double one_if(bool condition) { return condition ? 1 : 0; }

using Number = std::optional<double> (*)(const BackendView&);

struct BackendGauge {
    const char* name;
    const char* help;
    Number number;  ///< nothing: not known, and then not shown
};

constexpr std::array kBackendGauges{
    BackendGauge{"ollama_proxy_backend_enabled", "1 unless disabled in the configuration.",
                 [](const BackendView& b) -> std::optional<double> { return one_if(b.enabled); }},
    BackendGauge{"ollama_proxy_backend_healthy", "1 while requests may go there.",
                 [](const BackendView& b) -> std::optional<double> { return one_if(b.healthy); }},
    BackendGauge{"ollama_proxy_backend_throttled", "1 while it is too hot to be chosen.",
                 [](const BackendView& b) -> std::optional<double> { return one_if(b.throttled); }},
    BackendGauge{"ollama_proxy_backend_in_flight", "Requests that hold a slot.",
                 [](const BackendView& b) -> std::optional<double> {
                     return static_cast<double>(b.in_flight);
                 }},
    BackendGauge{"ollama_proxy_backend_slots", "Slots for one model (max_concurrency).",
                 [](const BackendView& b) -> std::optional<double> {
                     return static_cast<double>(b.max_concurrency);
                 }},
    BackendGauge{"ollama_proxy_backend_latency_estimate_seconds",
                 "Time to the first token that decisions reckon with.",
                 [](const BackendView& b) -> std::optional<double> {
                     if (b.avg_latency_ms <= 0) return std::nullopt;
                     return b.avg_latency_ms / 1000;
                 }},
    BackendGauge{"ollama_proxy_backend_tokens_per_second",
                 "Speed of its answers, measured and configured.",
                 [](const BackendView& b) { return b.tokens_per_second; }},
    BackendGauge{"ollama_proxy_backend_power_watts", "Power that decisions reckon with.",
                 [](const BackendView& b) { return b.power_watts; }},
    BackendGauge{"ollama_proxy_backend_temperature_celsius", "Of its device.",
                 [](const BackendView& b) { return b.temperature_c; }},
};

void add_backend(Registry& page, const BackendView& backend) {
    for (const BackendGauge& gauge : kBackendGauges) {
        if (const auto value = gauge.number(backend)) {
            page.gauges(gauge.name, gauge.help, {"backend"}).with({backend.id}).set(*value);
        }
    }
    auto& circuit = page.gauges("ollama_proxy_backend_circuit_state",
                                "1 at the state that the circuit breaker is in.",
                                {"backend", "state"}, kMaxSeries);
    for (const char* state : {"closed", "half-open", "open"}) {
        circuit.with({backend.id, state}).set(one_if(backend.circuit == state));
    }
    auto& waiting =
        page.gauges("ollama_proxy_backend_waiting",
                    "Requests in the queue that may use this backend; one may wait for several.",
                    {"backend", "level"}, kMaxSeries);
    for (std::size_t i = 0; i < kLevels.size(); ++i) {
        waiting.with({backend.id, kLevels[i]}).set(static_cast<double>(backend.waiting[i]));
    }
    page.counters("ollama_proxy_backend_requests_total",
                  "Attempts at a backend, failed ones included.", {"backend"})
        .with({backend.id})
        .add(backend.requests);
}

}  // namespace

Reply metrics_reply(const StatusView& view, std::size_t connections) {
    Registry page;  // of what is a state and not a count: read when somebody asks
    for (const BackendView& backend : view.backends) add_backend(page, backend);
    auto& waiting = page.gauges("ollama_proxy_queue_waiting", "Requests in the queue.", {"level"});
    for (std::size_t i = 0; i < kLevels.size(); ++i) {
        waiting.with({kLevels[i]}).set(static_cast<double>(view.waiting[i]));
    }
    page.gauge("ollama_proxy_ready", "1 while at least one backend can serve.")
        .set(one_if(view.ready));
    page.gauge("ollama_proxy_connections", "Open client connections.")
        .set(static_cast<double>(connections));
    page.gauges("ollama_proxy_efficiency_mode", "1 at the mode in force.", {"mode"})
        .with({view.effective_mode})
        .set(1);
    page.gauges("ollama_proxy_build_info", "1, with the version.", {"version"})
        .with({kVersion})
        .set(1);
    page.counter("ollama_proxy_access_records_dropped_total",
                 "Access log records lost because the log could not keep up.")
        .add(telemetry::dropped_access_records());
    Reply reply;
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    reply.body = telemetry::metrics().prometheus_text() + page.prometheus_text();
    return reply;
}

}  // namespace ollama_proxy::http
