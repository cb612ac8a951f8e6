#include "dbus/backends_service.hpp"

#include "dbus/numbers.hpp"

#include <algorithm>

namespace ollama_proxy::dbus {
using router::BackendView;

namespace {

using Row = sdbus::Struct<std::string, std::string, bool, std::int32_t, std::int32_t, double,
                          double, std::int32_t>;

Row row_of(const BackendView& b) {
    return Row{b.id,
               b.name,
               b.healthy,
               to_int(b.avg_latency_ms),
               b.power_watts ? to_int(*b.power_watts) : kUnknownInt,
               static_cast<double>(b.queue_depth),
               or_nan(b.temperature_c),
               b.priority};
}

std::map<std::string, sdbus::Variant> details_of(const BackendView& b) {
    const auto u = [](auto count) { return sdbus::Variant(static_cast<std::uint64_t>(count)); };
    std::map<std::string, sdbus::Variant> out{
        {"id", sdbus::Variant(b.id)},
        {"name", sdbus::Variant(b.name)},
        {"type", sdbus::Variant(b.type)},
        {"hardware", sdbus::Variant(b.hardware)},
        {"endpoint", sdbus::Variant(b.endpoint)},
        {"enabled", sdbus::Variant(b.enabled)},
        {"state", sdbus::Variant(b.state)},
        {"healthy", sdbus::Variant(b.healthy)},
        {"reason", sdbus::Variant(b.reason)},
        {"circuit", sdbus::Variant(b.circuit)},
        {"models", sdbus::Variant(b.models)},
        {"loaded_models", sdbus::Variant(b.loaded_models)},
        {"queue_depth", u(b.queue_depth)},
        {"in_flight", u(b.in_flight)},
        {"max_concurrency", u(b.max_concurrency)},
        {"avg_latency_ms", sdbus::Variant(b.avg_latency_ms)},
        {"ttft_ms", sdbus::Variant(or_nan(b.ttft_ms))},
        {"tokens_per_second", sdbus::Variant(or_nan(b.tokens_per_second))},
        {"power_watts", sdbus::Variant(or_nan(b.power_watts))},
        {"temperature_c", sdbus::Variant(or_nan(b.temperature_c))},
        {"throttled", sdbus::Variant(b.throttled)},
        {"priority", sdbus::Variant(static_cast<std::int32_t>(b.priority))},
        {"requests", u(b.requests)},
        {"failures", u(b.failures)},
        {"joules_per_token", sdbus::Variant(or_nan(b.joules_per_token))},
        {"energy_source", sdbus::Variant(b.energy_source)}};
    return out;
}

/// What the probes say, whose changes are heard of. That it is left alone for a moment (its
/// circuit, a 429) is not told: nothing would tell that this is over.
bool is_up(const BackendView& b) { return b.state == "healthy"; }

const BackendView& find(const router::StatusView& view, const std::string& id) {
    const auto found = std::ranges::find(view.backends, id, &BackendView::id);
    if (found != view.backends.end()) return *found;
    std::string list;
    for (const BackendView& backend : view.backends) {
        list += (list.empty() ? "" : ", ") + backend.id;
    }
    throw invalid_args("there is no such backend; the backends are " +
                       (list.empty() ? "none" : list));
}

}  // namespace

BackendsService::BackendsService(boost::asio::io_context& context, BusLink& link,
                                 router::Router& router)
    : router_(router), object_(link, "Backends"), paced_(context, [this] { tell(); }) {}

void BackendsService::attach(sdbus::IConnection& connection) {
    told_ = known_now();
    object_.attach(connection, spec());
}

InterfaceSpec BackendsService::spec() {
    InterfaceSpec spec;
    spec.methods = {{"ListBackends",
                     "",
                     {},
                     "a(ssbiiddi)",
                     {"backends"},
                     [this](const auto& call) {
                         std::vector<Row> rows;
                         const auto view = router_.view();
                         for (const BackendView& b : view->backends) rows.push_back(row_of(b));
                         reply_to(call, rows);
                     }},
                    {"GetBackendDetails",
                     "s",
                     {"id"},
                     "a{sv}",
                     {"details"},
                     [this](auto call) {
                         std::string id;
                         call >> id;
                         reply_to(call, details_of(find(*router_.view(), id)));
                     }},
                    {"GetBackendHealth", "s", {"id"}, "b", {"healthy"}, [this](auto call) {
                         std::string id;
                         call >> id;
                         reply_to(call, find(*router_.view(), id).healthy);
                     }}};
    spec.signals = {{"BackendHealthChanged", "sbs", {"id", "healthy", "reason"}},
                    {"BackendAdded", "ss", {"id", "name"}},
                    {"BackendRemoved", "s", {"id"}}};
    return spec;
}

BackendsService::KnownBackends BackendsService::known_now() const {
    KnownBackends out;
    const auto view = router_.view();
    for (const BackendView& b : view->backends) out[b.id] = {b.name, is_up(b)};
    return out;
}

void BackendsService::tell() {
    const auto view = router_.view();
    KnownBackends now;
    for (const BackendView& b : view->backends) {
        now[b.id] = {b.name, is_up(b)};
        const auto before = told_.find(b.id);
        if (before == told_.end()) {
            object_.emit("BackendAdded", b.id, b.name);
        } else if (before->second.healthy != is_up(b)) {
            object_.emit("BackendHealthChanged", b.id, is_up(b), b.reason);
        }
    }
    for (const auto& [id, known] : told_) {
        if (!now.contains(id)) object_.emit("BackendRemoved", id);
    }
    told_ = std::move(now);
}

}  // namespace ollama_proxy::dbus
