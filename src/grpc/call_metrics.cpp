#include "grpc/call_metrics.hpp"

#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

namespace ollama_proxy::grpc_api {
using telemetry::Counter;
using telemetry::Family;
using telemetry::Histogram;
using telemetry::metrics;

void count_call(std::string_view method, StatusCode status, double seconds) {
    static Family<Counter>& calls =
        metrics().counters("ollama_proxy_grpc_calls_total",
                           "gRPC calls that have ended, by method and status.", {"method", "code"});
    static Family<Histogram>& durations = metrics().histograms(
        "ollama_proxy_grpc_call_duration_seconds", "From a call's coming to its status.",
        {"method"}, {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300});
    calls.with({method, name_of(status)}).add();
    durations.with({method}).observe(seconds);
}

void count_refusal(Errc code) {
    if (code == Errc::cancelled) return;
    // the same numbers as over HTTP
    static Family<Counter>& refusals = metrics().counters(
        "ollama_proxy_refusals_total", "Requests that the proxy refused, by code.", {"reason"});
    refusals.with({codec::code_name(code)}).add();
}

}  // namespace ollama_proxy::grpc_api
