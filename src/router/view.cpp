#include "router/router_impl.hpp"

#include <algorithm>

namespace ollama_proxy::router {
namespace {

std::string state_of(const upstream::Backend& backend) {
    if (!backend.settings().enabled) return "disabled";
    return std::string(to_string(backend.health()));
}

/// Why no request may go there now; empty when one may.
std::string reason_of(const upstream::Backend& backend, TimePoint now) {
    if (!backend.settings().enabled) return "disabled in the configuration";
    if (backend.health() == upstream::Health::unhealthy) {
        const std::string reason = backend.health_reason();
        return reason.empty() ? "probes fail" : reason;
    }
    if (!backend.breaker_would_allow(now)) return "too many failures: left alone for a moment";
    if (backend.is_parked(now)) return "busy: answered 429";
    return {};
}

BackendView view_of(const upstream::Backend& backend, const BackendNotes& notes,
                    const Occupancy& occupancy, const monitors::SystemSnapshot* machine,
                    const std::optional<monitors::BackendEnergy>& energy, TimePoint now) {
    const config::Backend& settings = backend.settings();
    BackendView out;
    out.id = settings.id;
    out.name = settings.name;
    out.type = to_string(settings.type);
    out.hardware = to_string(settings.hardware);
    out.endpoint = settings.endpoint.text;
    out.enabled = settings.enabled;
    out.state = state_of(backend);
    out.reason = reason_of(backend, now);
    out.healthy = out.reason.empty() && backend.health() == upstream::Health::healthy;
    out.circuit = to_string(backend.breaker_state(now));
    const auto catalog = backend.catalog();
    for (const auto& model : catalog->models) out.models.push_back(model.name);
    for (const auto& model : catalog->loaded) out.loaded_models.push_back(model.name);
    out.waiting = occupancy.waiting;
    for (std::size_t waiting : occupancy.waiting) out.queue_depth += waiting;
    out.in_flight = occupancy.in_flight;
    out.max_concurrency = settings.max_concurrency;
    out.avg_latency_ms = static_cast<double>(settings.characteristics.avg_latency.count());
    const double speed = settings.characteristics.max_tokens_per_second;
    if (speed > 0) out.tokens_per_second = speed;
    if (energy && energy->joules_per_token) {
        out.joules_per_token = energy->joules_per_token;
        out.energy_source = to_string(energy->source);
    }
    if (notes.learned) {
        const auto learned = notes.learned->summary(out.avg_latency_ms, speed);
        out.avg_latency_ms = learned.latency_ms;
        out.ttft_ms = learned.ttft_ms;
        out.tokens_per_second = learned.tokens_per_second;
        // until a warm stream was measured: what the last requests drew, loading included
        if (learned.joules_per_token) out.joules_per_token = learned.joules_per_token;
    }
    if (settings.characteristics.power_known) {
        out.power_watts = settings.characteristics.power_watts;
    }
    if (const auto* device = machine ? machine->find(settings.id) : nullptr) {
        out.temperature_c = device->temperature_c;
        out.throttled = device->throttled;
    }
    out.priority = settings.characteristics.priority;
    out.requests = backend.requests();
    out.failures = backend.failures();
    return out;
}

}  // namespace

std::shared_ptr<const StatusView> Router::view() const {
    const auto generation = impl_->generation.load();
    const auto machine = impl_->system.load();
    const auto policy = impl_->policy.load();
    std::vector<Occupancy> occupancy;
    impl_->admission.occupancy(generation->backends->backends, occupancy);
    const TimePoint now = Clock::now();
    auto view = std::make_shared<StatusView>();
    for (std::size_t i = 0; i < occupancy.size(); ++i) {
        const upstream::Backend& backend = *generation->backends->backends[i];
        const auto energy = impl_->energy ? impl_->energy->of(backend.id()) : std::nullopt;
        view->backends.push_back(
            view_of(backend, *generation->notes[i], occupancy[i], machine.get(), energy, now));
    }
    view->waiting = impl_->admission.waiting_by_level();
    view->mode = to_string(policy->mode);
    view->effective_mode = to_string(policy->effective);
    view->accepting = impl_->accepting.load();
    view->ready = view->accepting && std::ranges::any_of(view->backends, &BackendView::healthy);
    return view;
}

}  // namespace ollama_proxy::router
