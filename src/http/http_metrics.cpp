#include "http/http_metrics.hpp"

#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace ollama_proxy::http {
using telemetry::Counter;
using telemetry::Family;
using telemetry::Histogram;
using telemetry::LazyMetrics;
using telemetry::metrics;

namespace {

/// Statuses that are told apart; a backend may send others.
constexpr std::array kStatuses{101, 200, 201, 202, 204, 206, 304, 400, 401, 402,
                               403, 404, 405, 408, 409, 413, 414, 415, 422, 426,
                               429, 431, 499, 500, 501, 502, 503, 504, 529};
constexpr std::size_t kSlots = kStatuses.size() + 1;
/// With room for routes to come; `route_number` is below it.
constexpr std::size_t kRoutes = 64;

std::size_t slot_of(int status) {
    const auto* found = std::ranges::find(kStatuses, status);
    return static_cast<std::size_t>(found - kStatuses.begin());
}

std::size_t number_of(const Route* route) {
    return route ? std::min(route_number(*route), kRoutes - 1) : kRoutes;
}

std::vector<double> durations_in_seconds() {
    return {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
}

/// What follows a prefix is a name from the client, and no label.
std::string label_of(const Route* route) {
    if (!route) return "unknown";
    return std::string(route->path) + (route->is_prefix ? "{name}" : "");
}

}  // namespace

void count_request(const Route* route, int status, double seconds) {
    static Family<Counter>& requests = metrics().counters(
        "ollama_proxy_http_requests_total",
        "Requests answered, by route and status; 499: the client left.", {"route", "code"}, 1024);
    static Family<Histogram>& durations = metrics().histograms(
        "ollama_proxy_http_request_duration_seconds",
        "From a request's head to the end of its answer.", {"route"}, durations_in_seconds());
    static LazyMetrics<Counter, (kRoutes + 1) * kSlots> counters;
    static LazyMetrics<Histogram, kRoutes + 1> histograms;
    const std::size_t number = number_of(route);
    const std::size_t slot = slot_of(status);
    counters
        .at(number * kSlots + slot,
            [&]() -> Counter& {
                return requests.with({label_of(route), slot < kStatuses.size()
                                                           ? std::to_string(status)
                                                           : std::string("other")});
            })
        .add();
    histograms.at(number, [&]() -> Histogram& { return durations.with({label_of(route)}); })
        .observe(seconds);
}

void count_websocket_request(const std::optional<Error>& error, double seconds) {
    static Family<Counter>& requests = metrics().counters(
        "ollama_proxy_websocket_requests_total",
        "Requests answered on WebSockets, by code: ok, or the error's.", {"code"});
    static Histogram& durations = metrics().histogram(
        "ollama_proxy_websocket_request_duration_seconds",
        "From a message that asks to the last message of its answer.", durations_in_seconds());
    requests.with({error ? codec::code_name(error->code) : "ok"}).add();
    durations.observe(seconds);
}

void observe_overhead(double seconds) {
    static Histogram& histogram = metrics().histogram(
        "ollama_proxy_overhead_seconds",
        "The proxy's own part of the time to a routed request's first byte: without the client's "
        "upload, the queue and the backend.",
        {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1});
    histogram.observe(std::max(0.0, seconds));
}

void count_refusal(Errc code) {
    if (code == Errc::cancelled) return;
    static Family<Counter>& refusals = metrics().counters(
        "ollama_proxy_refusals_total", "Requests that the proxy refused, by code.", {"reason"});
    refusals.with({codec::code_name(code)}).add();
}

}  // namespace ollama_proxy::http
