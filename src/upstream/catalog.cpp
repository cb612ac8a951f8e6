#include "ollama_proxy/upstream/catalog.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>

namespace ollama_proxy::upstream {

std::string model_key(config::BackendType type, std::string_view name) {
    if (type == config::BackendType::openai) return std::string(name);
    std::string key = ascii_lower(name);
    const std::size_t slash = key.rfind('/');
    const std::size_t colon = key.rfind(':');
    const bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash);
    if (!tagged && !key.empty()) key += ":latest";
    return key;
}

const Model* Catalog::find(std::string_view key) const {
    const auto found = std::find_if(models.begin(), models.end(),
                                    [key](const Model& model) { return model.key == key; });
    return found == models.end() ? nullptr : &*found;
}

const LoadedModel* Catalog::find_loaded(std::string_view key) const {
    const auto found = std::find_if(loaded.begin(), loaded.end(),
                                    [key](const LoadedModel& model) { return model.key == key; });
    return found == loaded.end() ? nullptr : &*found;
}

void Catalog::note_missed(const Catalog& former) {
    for (LoadedModel& model : loaded) {
        const LoadedModel* before = former.find_loaded(model.key);
        model.missed_at = before ? before->missed_at : former.loaded_asked;
    }
}

}  // namespace ollama_proxy::upstream
