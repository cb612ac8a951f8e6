#include "router/facts.hpp"

#include "router/answer_verdict.hpp"
#include "router/model_match.hpp"

#include <algorithm>

namespace ollama_proxy::router {
namespace {

/// Native routes exist on Ollama alone; the three learnt ones until a backend says no.
bool has_api(const upstream::Backend& backend, codec::Api api) {
    switch (api) {
        case codec::Api::ollama_chat:
        case codec::Api::ollama_generate:
        case codec::Api::ollama_embed:
        case codec::Api::ollama_embeddings:
        case codec::Api::ollama_show:
            return backend.settings().type == config::BackendType::ollama;
        default:
            return !backend.lacks(api);
    }
}

Refusal hard_refusal(const upstream::Backend& backend, const Wanted& wanted,
                     const ModelKnowledge& knowledge, TimePoint now) {
    const config::Backend& settings = backend.settings();
    if (!settings.enabled) return Refusal::disabled;
    if (backend.health() == upstream::Health::unhealthy) return Refusal::unhealthy;
    if (!backend.breaker_would_allow(now)) return Refusal::breaker_open;
    if (!has_api(backend, wanted.api)) return Refusal::api_missing;
    const Refusal model =
        model_refusal(settings.type, settings.model_capability, wanted.model, knowledge);
    if (model != Refusal::none) return model;
    if (backend.is_parked(now)) return Refusal::parked;
    if (wanted.tried && (*wanted.tried)[backend.index()]) return Refusal::already_tried;
    return Refusal::none;
}

}  // namespace

Wanted wanted_of(const config::Config& config, codec::Api api, const std::string& model) {
    Wanted wanted;
    wanted.api = api;
    const auto alias = config.router.aliases.find(model);
    wanted.by_alias = alias != config.router.aliases.end();
    wanted.model = wanted.by_alias ? alias->second : model;
    wanted.ollama_key = canonical_model(config::BackendType::ollama, wanted.model);
    return wanted;
}

void gather_facts(const Generation& generation, const Wanted& wanted,
                  const efficiency::Policy& policy, const monitors::SystemSnapshot* system,
                  std::span<const Occupancy> occupancy, std::size_t all_in_flight, TimePoint now,
                  std::vector<CandidateFacts>& out) {
    const auto& backends = generation.backends->backends;
    out.assign(backends.size(), {});
    thread_local std::vector<ModelKnowledge> knowledge;
    knowledge.assign(backends.size(), {});
    std::size_t listing = 0;
    for (std::size_t i = 0; i < backends.size(); ++i) {
        const upstream::Backend& backend = *backends[i];
        const std::string& key = wanted.key(backend.settings().type);
        const auto catalog = backend.catalog();
        const upstream::Model* model = wanted.model.empty() ? nullptr : catalog->find(key);
        // a 404 for the model is knowledge too, also where no catalog was had
        const bool absent = backend.is_absent(key);
        knowledge[i].catalog_known = catalog->known || absent;
        knowledge[i].listed = model != nullptr && !absent;
        if (model) knowledge[i].size_bytes = model->size_bytes;
        if (knowledge[i].listed) ++listing;
        out[i].warm = catalog->is_loaded(key);
        out[i].cold = !out[i].warm && catalog->known && !key.empty() &&
                      backend.settings().type == config::BackendType::ollama;
    }
    const bool mode_busy = policy.max_concurrency &&
                           all_in_flight >= static_cast<std::size_t>(*policy.max_concurrency);
    for (std::size_t i = 0; i < backends.size(); ++i) {
        const upstream::Backend& backend = *backends[i];
        const config::Backend& settings = backend.settings();
        CandidateFacts& facts = out[i];
        knowledge[i].listed_elsewhere = listing > (knowledge[i].listed ? 1U : 0U);
        facts.id = settings.id;
        facts.hardware = settings.hardware;
        facts.priority = settings.characteristics.priority;
        facts.latency_ms = static_cast<double>(settings.characteristics.avg_latency.count());
        if (const auto& learned = generation.notes[i]->learned) {
            const auto estimate =
                learned->estimate(wanted.key(settings.type), facts.cold, facts.latency_ms, now);
            facts.latency_ms = estimate.latency_ms;
            facts.error_share = estimate.error_share;
            if (facts.cold) facts.load_ms = estimate.load_ms;
        }
        if (settings.characteristics.power_known) {
            facts.watts = settings.characteristics.power_watts;
        }
        facts.occupancy = occupancy[i].weighted(settings.max_concurrency);
        if (const auto* device = system ? system->find(settings.id) : nullptr) {
            facts.throttled = device->throttled;
            facts.fan_percent = device->fan_percent;
            if (device->temperature_c && device->limit_c) {
                facts.thermal_headroom_c = *device->limit_c - *device->temperature_c;
            }
        }
        facts.preferred_model = std::ranges::any_of(
            settings.model_capability.preferred_models,
            [&](const auto& name) { return same_model(settings.type, name, wanted.model); });
        facts.error_share = std::max(facts.error_share, backend.error_share(now));
        facts.target_by_alias = wanted.by_alias;
        facts.lists_model = knowledge[i].listed || !knowledge[i].catalog_known;
        facts.refusal = hard_refusal(backend, wanted, knowledge[i], now);
        if (facts.refusal == Refusal::none && mode_busy) facts.refusal = Refusal::mode_busy;
    }
}

}  // namespace ollama_proxy::router
