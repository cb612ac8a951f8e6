#include "router/router_impl.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

namespace ollama_proxy::router {
using boost::asio::awaitable;

namespace {

/// "0.12.3" -> {0, 12, 3}; what is no number counts as 0.
std::vector<int> version_numbers(std::string_view version) {
    std::vector<int> out;
    while (!version.empty()) {
        const std::size_t dot = std::min(version.find('.'), version.size());
        int number = 0;
        std::from_chars(version.data(), version.data() + dot, number);
        out.push_back(number);
        version.remove_prefix(std::min(dot + 1, version.size()));
    }
    return out;
}

}  // namespace

awaitable<ModelsView> Router::models(Clock::duration max_age) {
    co_await impl_->health.refresh_catalogs(max_age);
    const auto generation = impl_->generation.load();
    ModelsView view;
    std::unordered_map<std::string, std::size_t> seen;
    std::unordered_set<std::string> loaded_seen;
    for (const auto& backend : generation->backends->backends) {
        if (!backend->settings().enabled || backend->health() == upstream::Health::unhealthy) {
            continue;
        }
        const auto catalog = backend->catalog();
        for (const upstream::Model& model : catalog->models) {
            auto [at, is_new] = seen.try_emplace(model.key, view.models.size());
            if (is_new) {
                view.models.push_back(
                    {model.name, model.created, model.owned_by, model.json, {}, false});
            }
            ModelView& entry = view.models[at->second];
            entry.backends.push_back(backend->id());
            entry.loaded = entry.loaded || catalog->is_loaded(model.key);
        }
        for (const upstream::LoadedModel& model : catalog->loaded) {
            if (!loaded_seen.insert(model.key).second) continue;
            view.loaded.push_back({model.name, model.json});
        }
        if (!catalog->version.empty() &&
            (view.version.empty() ||
             version_numbers(catalog->version) < version_numbers(view.version))) {
            view.version = catalog->version;
        }
    }
    for (const auto& [alias, model] : generation->config->router.aliases) {
        if (seen.contains(alias)) continue;
        const auto target =
            std::ranges::find_if(view.models, [&](const ModelView& m) { return m.name == model; });
        if (target == view.models.end()) continue;
        ModelView entry = *target;
        entry.name = alias;
        entry.json.clear();  // no backend knows it under this name
        view.models.push_back(std::move(entry));
    }
    co_return view;
}

}  // namespace ollama_proxy::router
