#include "router/facts.hpp"

#include "router/answer_verdict.hpp"
#include "router/model_match.hpp"
#include "router/swap_cost.hpp"

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

/// Calls `found` for each reason against a backend, in the order of the filters, until it says that
/// it has enough.
template <class Found>
void each_refusal(const upstream::Backend& backend, const Wanted& wanted,
                  const ModelKnowledge& knowledge, bool tried, TimePoint now, const Found& found) {
    const config::Backend& settings = backend.settings();
    if (!settings.enabled && found(Refusal::disabled)) return;
    const bool down = backend.health() == upstream::Health::unhealthy;
    if (down && found(Refusal::unhealthy)) return;
    if (!backend.breaker_would_allow(now) && found(Refusal::breaker_open)) return;
    if (!has_api(backend, wanted.api) && found(Refusal::api_missing)) return;
    const Refusal model =
        model_refusal(settings.type, settings.model_capability, wanted.model, knowledge);
    if (model != Refusal::none && found(model)) return;
    if (backend.is_parked(now) && found(Refusal::parked)) return;
    if (tried) found(Refusal::already_tried);
}

/// Where the session or conversation was served last, if what was cached there is there still.
std::optional<std::size_t> where_cached(const Generation& generation, const Wanted& wanted,
                                        std::span<const CandidateFacts> facts) {
    if (!wanted.last_served) return std::nullopt;
    for (std::size_t i = 0; i < facts.size(); ++i) {
        if (generation.notes[i]->affinity != wanted.last_served->backend) continue;
        if (facts[i].cold) return std::nullopt;
        const upstream::Backend& backend = *generation.backends->backends[i];
        const auto catalog = backend.catalog();
        const auto* loaded = catalog->find_loaded(wanted.key(backend.settings().type));
        const bool loaded_anew = loaded && wanted.last_served->at <= loaded->missed_at;
        return loaded_anew ? std::nullopt : std::optional(i);
    }
    return std::nullopt;
}

/// What loading the model would push out of this backend's memory, if that is known.
double swap_cost_of(const upstream::Backend& backend, const upstream::Catalog& catalog,
                    const upstream::Model* model, const Surroundings& surroundings) {
    const double room = backend.settings().model_capability.max_model_size_gb * kBytesPerGb;
    if (room <= 0 || !model || !model->size_bytes || !surroundings.in_use) return 0;
    double in_use = 0;
    for (const upstream::LoadedModel& one : catalog.loaded) {
        const auto bytes = static_cast<double>(one.size_bytes.value_or(0));
        if (bytes > 0 && surroundings.in_use(backend.id(), one.key)) in_use += bytes;
    }
    return swap_cost(static_cast<double>(*model->size_bytes), room, in_use);
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

AffinityKeys affinity_of(const Generation& generation, const Wanted& wanted,
                         const InferenceRequest& request) {
    const bool choice = generation.backends->backends.size() > 1;
    if (!choice || !generation.config->router.affinity) return {};
    return affinity_keys(wanted.ollama_key, request.hints.session_id, request.body,
                         request.scan.conversation);
}

void gather_facts(const Generation& generation, const Wanted& wanted,
                  const Surroundings& surroundings, TimePoint now, std::vector<CandidateFacts>& out,
                  std::vector<std::vector<Refusal>>* every_refusal) {
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
        if (out[i].cold && !catalog->loaded.empty()) {
            out[i].swap_cost = swap_cost_of(backend, *catalog, model, surroundings);
        }
    }
    if (const auto cached = where_cached(generation, wanted, out)) {
        for (CandidateFacts& facts : out) facts.affinity = 0;
        out[*cached].affinity = 1;
    }
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
        facts.occupancy = surroundings.occupancy[i].weighted(settings.max_concurrency);
        const auto* device = surroundings.system ? surroundings.system->find(settings.id) : nullptr;
        if (device) {
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
        each_refusal(backend, wanted, knowledge[i], wanted.was_tried(i), now, [&](Refusal found) {
            facts.refusal = found;
            return true;
        });
    }
    if (!every_refusal) return;
    every_refusal->assign(backends.size(), {});
    for (std::size_t i = 0; i < backends.size(); ++i) {
        each_refusal(*backends[i], wanted, knowledge[i], wanted.was_tried(i), now,
                     [&](Refusal found) {
                         (*every_refusal)[i].push_back(found);
                         return false;
                     });
    }
}

}  // namespace ollama_proxy::router
