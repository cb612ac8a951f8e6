#include "grpc/messages.hpp"

#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/config/words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace ollama_proxy::grpc_api {
using router::BackendView;
using router::RoutingHints;
using router::StatusView;

namespace {

constexpr std::size_t kMaxSessionId = 256;

/// Ollama names the size in its catalog entry.
std::uint64_t size_of(const router::ModelView& model) {
    const auto entry = nlohmann::json::parse(model.json, nullptr, false);
    if (!entry.is_object()) return 0;
    const auto size = entry.find("size");
    return size != entry.end() && size->is_number_unsigned() ? size->get<std::uint64_t>() : 0;
}

std::string_view health_word(const StatusView& view) {
    if (!view.accepting) return "stopping";
    const auto healthy = std::ranges::count_if(view.backends, &BackendView::healthy);
    const auto enabled = std::ranges::count_if(view.backends, &BackendView::enabled);
    if (healthy == 0) return "unavailable";
    return healthy < enabled ? "degraded" : "healthy";
}

/// The id that a target means: its own, or a backend of that hardware.
std::string resolve_target(const std::string& target, const StatusView& view) {
    if (std::ranges::find(view.backends, target, &BackendView::id) != view.backends.end()) {
        return target;
    }
    const auto hardware = config::parse_hardware(target);
    if (!hardware) return target;  // no backend's: the router says so
    const std::string_view word = config::to_string(*hardware);
    const BackendView* found = nullptr;
    for (const BackendView& backend : view.backends) {
        if (backend.hardware != word || !backend.enabled) continue;
        if (backend.healthy) return backend.id;
        if (found == nullptr) found = &backend;
    }
    return found ? found->id : target;
}

Error bad(std::string_view field, std::string_view expected) {
    const std::string name = "annotations." + std::string(field);
    return make_error(Errc::invalid_request, name + " must be " + std::string(expected), name);
}

}  // namespace

void fill(Backend& out, const BackendView& view) {
    out.set_id(view.id);
    out.set_name(view.name);
    out.set_type(view.type);
    out.set_hardware(view.hardware);
    out.set_endpoint(view.endpoint);
    out.set_enabled(view.enabled);
    out.set_state(view.state);
    out.set_healthy(view.healthy);
    out.set_reason(view.reason);
    out.set_circuit(view.circuit);
    for (const std::string& model : view.models) out.add_models(model);
    for (const std::string& model : view.loaded_models) out.add_loaded_models(model);
    out.set_queue_depth(view.queue_depth);
    PriorityCounts& waiting = *out.mutable_priority_counts();
    waiting.set_best_effort(view.waiting[0]);
    waiting.set_normal(view.waiting[1]);
    waiting.set_high(view.waiting[2]);
    waiting.set_critical(view.waiting[3]);
    out.set_in_flight(view.in_flight);
    out.set_max_concurrency(view.max_concurrency);
    out.set_avg_latency_ms(view.avg_latency_ms);
    if (view.ttft_ms) out.set_ttft_ms(*view.ttft_ms);
    if (view.tokens_per_second) out.set_tokens_per_second(*view.tokens_per_second);
    if (view.power_watts) out.set_power_watts(*view.power_watts);
    if (view.temperature_c) out.set_temperature_c(*view.temperature_c);
    out.set_throttled(view.throttled);
    out.set_priority(view.priority);
    out.set_requests(view.requests);
    out.set_failures(view.failures);
    if (view.joules_per_token) out.set_joules_per_token(*view.joules_per_token);
    out.set_energy_source(view.energy_source);
}

void fill(ListBackendsResponse& out, const StatusView& view) {
    for (const BackendView& backend : view.backends) fill(*out.add_backends(), backend);
}

void fill(HealthCheckResponse& out, const StatusView& view) {
    out.set_status(std::string(health_word(view)));
    for (const BackendView& backend : view.backends) {
        BackendHealth& health = (*out.mutable_backend_health())[backend.id];
        health.set_state(backend.state);
        health.set_healthy(backend.healthy);
        health.set_reason(backend.reason);
        health.set_circuit(backend.circuit);
    }
}

void fill(ListModelsResponse& out, const router::ModelsView& view) {
    for (const router::ModelView& model : view.models) {
        Model& entry = *out.add_models();
        entry.set_name(model.name);
        entry.set_size_bytes(size_of(model));
        for (const std::string& id : model.backends) entry.add_backends(id);
        entry.set_loaded(model.loaded);
    }
}

void fill(EfficiencyState& out, const efficiency::State& state) {
    out.set_mode(std::string(config::to_string(state.mode)));
    out.set_effective_mode(std::string(config::to_string(state.effective)));
    out.set_reason(state.reason);
    for (const config::Mode mode : efficiency::available_modes()) {
        out.add_available_modes(std::string(config::to_string(mode)));
    }
}

void fill(SystemState& out, const efficiency::State& state, const StatusView& view) {
    fill(*out.mutable_efficiency(), state);
    const efficiency::Surroundings& around = state.surroundings;
    if (around.on_battery) out.set_on_battery(*around.on_battery);
    if (around.battery_percent) {
        out.set_battery_level(static_cast<std::int32_t>(std::lround(*around.battery_percent)));
    }
    if (around.cpu_c) out.set_cpu_temperature_c(*around.cpu_c);
    if (around.profile != efficiency::PowerProfile::unknown) {
        out.set_power_profile(std::string(to_string(around.profile)));
    }
    for (const BackendView& backend : view.backends) fill(*out.add_backends(), backend);
}

void fill(Routing& out, const router::RouteInfo& info) {
    out.set_backend(info.backend);
    out.set_reason(std::string(info.reason));
    if (info.estimated_watts) out.set_estimated_power_watts(*info.estimated_watts);
    out.set_estimated_latency_ms(info.estimated_latency_ms);
    std::string_view rest = info.alternatives;
    while (!rest.empty()) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view id = trim(rest.substr(0, comma));
        if (!id.empty()) out.add_alternatives(std::string(id));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
}

void fill(RoutingDecision& out, const router::LastDecision& decision) {
    using std::chrono::milliseconds;
    out.set_backend(decision.backend);
    out.set_reason(decision.reason);
    out.set_score(decision.score);
    out.set_unix_ms(
        std::chrono::duration_cast<milliseconds>(decision.at.time_since_epoch()).count());
}

Result<RoutingHints> read_hints(const Annotations& annotations, const StatusView& view) {
    RoutingHints hints;
    if (!annotations.target().empty()) hints.target = resolve_target(annotations.target(), view);
    hints.latency_critical = annotations.latency_critical();
    hints.power_efficient = annotations.prefer_power_efficiency();
    if (annotations.max_latency_ms() < 0) return bad("max_latency_ms", "0 or more milliseconds");
    if (annotations.max_latency_ms() > 0) hints.max_latency_ms = annotations.max_latency_ms();
    const double watts = annotations.max_power_watts();
    if (!std::isfinite(watts) || watts < 0) return bad("max_power_watts", "0 or more watts");
    if (watts > 0) hints.max_power_watts = watts;
    if (!annotations.priority().empty()) {
        const auto priority = router::parse_priority(annotations.priority());
        if (!priority) return bad("priority", "best-effort, normal, high or critical (or 0 to 3)");
        hints.priority = *priority;
    }
    if (!annotations.media_type().empty()) {
        const auto type = router::parse_media_type(annotations.media_type());
        if (!type) {
            return bad("media_type", "realtime, audio, code, image, text, batch or interactive");
        }
        hints.media_type = *type;
    }
    const auto session = annotations.custom().find("session_id");
    if (session != annotations.custom().end()) {
        hints.session_id = session->second.substr(0, kMaxSessionId);
    }
    return hints;
}

}  // namespace ollama_proxy::grpc_api
