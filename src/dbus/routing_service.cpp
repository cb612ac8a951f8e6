#include "dbus/routing_service.hpp"

#include "dbus/numbers.hpp"

#include <ctime>
#include <map>

namespace ollama_proxy::dbus {
namespace {

using Counts = std::map<std::string, std::int32_t>;
constexpr double kScoreUnit = 1000;

std::string rfc3339(std::chrono::system_clock::time_point at) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

/// What of a decision goes over the wire; empty before the first one.
struct Shown {
    std::string backend;
    std::string reason;
    std::int32_t score = 0;
    std::string time;
};

Shown shown(const std::optional<router::LastDecision>& last) {
    if (!last) return {};
    return {last->backend, last->reason, to_int(last->score * kScoreUnit), rfc3339(last->at)};
}

}  // namespace

RoutingService::RoutingService(boost::asio::io_context& context, BusLink& link,
                               router::Router& router)
    : router_(router), object_(link, "Routing"), paced_(context, [this] {
          const Shown last = shown(router_.last_decision());
          object_.emit("RoutingDecisionMade", last.backend, last.reason, last.score, last.time);
      }) {}

InterfaceSpec RoutingService::spec() {
    InterfaceSpec spec;
    spec.methods = {{"GetRoutingStats",
                     "",
                     {},
                     "iia{si}",
                     {"total", "failed", "per_backend"},
                     [this](const auto& call) {
                         const auto view = router_.view();
                         std::uint64_t total = 0;
                         std::uint64_t failed = 0;
                         Counts by_backend;
                         for (const auto& backend : view->backends) {
                             total += backend.requests;
                             failed += backend.failures;
                             by_backend[backend.id] = count_of(backend.requests);
                         }
                         reply_to(call, count_of(total), count_of(failed), by_backend);
                     }},
                    {"GetQueueDepths",
                     "",
                     {},
                     "a{si}",
                     {"depths"},
                     [this](const auto& call) {
                         const auto view = router_.view();
                         Counts depths;
                         for (const auto& backend : view->backends) {
                             depths[backend.id] = count_of(backend.queue_depth);
                         }
                         reply_to(call, depths);
                     }},
                    {"GetLastRoutingDecision",
                     "",
                     {},
                     "ssis",
                     {"backend", "reason", "score", "time"},
                     [this](const auto& call) {
                         const Shown last = shown(router_.last_decision());
                         reply_to(call, last.backend, last.reason, last.score, last.time);
                     }}};
    spec.signals = {{"RoutingDecisionMade", "ssis", {"backend", "reason", "score", "time"}}};
    return spec;
}

}  // namespace ollama_proxy::dbus
