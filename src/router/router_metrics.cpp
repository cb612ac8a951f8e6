#include "router/router_metrics.hpp"

#include "ollama_proxy/codec/error_body.hpp"

#include <array>

namespace ollama_proxy::router {
using telemetry::Counter;
using telemetry::Family;
using telemetry::Histogram;
using telemetry::metrics;

namespace {

/// More series than this of one name help nobody; what comes beyond is counted as "other".
constexpr std::size_t kMaxSeries = 1024;

Histogram& first_token_of(const std::string& id) {
    static Family<Histogram>& family = metrics().histograms(
        "ollama_proxy_time_to_first_token_seconds",
        "From a streamed request's coming to the first piece of its answer, queue included.",
        {"backend"}, {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120});
    return family.with({id});
}

Histogram& piece_delay_of(const std::string& id) {
    static Family<Histogram>& family = metrics().histograms(
        "ollama_proxy_inter_piece_delay_seconds",
        "Between two pieces of a stream, the client's slowness included.", {"backend"},
        {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10});
    return family.with({id});
}

/// What the client or the proxy's own bounds are the cause of.
bool is_refusal(Errc code) {
    switch (code) {
        case Errc::bad_gateway:
        case Errc::upstream_timeout:
        case Errc::upstream_stalled:
        case Errc::upstream_refused:
        case Errc::internal:
        case Errc::config:
        case Errc::io:
            return false;
        default:
            return true;
    }
}

}  // namespace

BackendMetrics::BackendMetrics(std::string id)
    : first_token(first_token_of(id)), piece_delay(piece_delay_of(id)), id_(std::move(id)) {}

void BackendMetrics::count_decision(Reason reason, config::Mode effective) {
    static Family<Counter>& family =
        metrics().counters("ollama_proxy_routing_decisions_total",
                           "Requests sent to a backend, by why it was chosen first.",
                           {"backend", "reason"}, kMaxSeries);
    const std::size_t number = reason == Reason::mode_name
                                   ? kReasons + static_cast<std::size_t>(effective)
                                   : static_cast<std::size_t>(reason);
    decisions_
        .at(number,
            [&]() -> Counter& { return family.with({id_, reason_text(reason, effective)}); })
        .add();
}

void BackendMetrics::count_failure(std::string_view reason) {
    static Family<Counter>& family =
        metrics().counters("ollama_proxy_backend_failures_total",
                           "Attempts at a backend that failed, by how; a retry may have cured it.",
                           {"backend", "reason"}, kMaxSeries);
    family.with({id_, reason}).add();
}

void BackendMetrics::count_hedge(bool second_won) {
    static Family<Counter>& family = metrics().counters(
        "ollama_proxy_hedges_total",
        "Critical requests that were asked of a second backend, by the first one and who won.",
        {"backend", "winner"});
    family.with({id_, second_won ? "second" : "first"}).add();
}

void observe_queue_wait(Priority priority, double seconds) {
    static const std::array<Histogram*, kPriorities> by_level = [] {
        auto& family = metrics().histograms(
            "ollama_proxy_queue_wait_seconds", "Wait for a slot, by the level of the request.",
            {"level"}, {0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60});
        std::array<Histogram*, kPriorities> out{};
        for (std::size_t i = 0; i < kPriorities; ++i) {
            out[i] = &family.with({to_string(static_cast<Priority>(i))});
        }
        return out;
    }();
    by_level[static_cast<std::size_t>(priority)]->observe(seconds);
}

void count_error(Errc code) {
    static Family<Counter>& refusals = metrics().counters(
        "ollama_proxy_refusals_total", "Requests that the proxy refused, by code.", {"reason"});
    static Family<Counter>& failures =
        metrics().counters("ollama_proxy_failures_total",
                           "Requests that failed because of a backend, by code.", {"reason"});
    (is_refusal(code) ? refusals : failures).with({codec::code_name(code)}).add();
}

}  // namespace ollama_proxy::router
