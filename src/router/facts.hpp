#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"
#include "ollama_proxy/router/decision.hpp"
#include "ollama_proxy/upstream/backend.hpp"
#include "router/admission.hpp"
#include "router/affinity.hpp"
#include "router/backend_notes.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

/// One configuration in force: swapped whole by a reload; a request keeps the one it began with.
struct Generation {
    std::shared_ptr<const config::Config> config;
    std::shared_ptr<const upstream::BackendSet> backends;
    std::vector<std::shared_ptr<BackendNotes>> notes;  ///< of each backend, in the same order
    DecisionSettings settings;
};

/// What one request is after, in the terms of the catalogs.
struct Wanted {
    std::string model;       ///< after aliases; empty = the request names none
    std::string ollama_key;  ///< how ollama backends spell it
    codec::Api api = codec::Api::chat_completions;
    bool by_alias = false;
    const std::vector<bool>* tried = nullptr;  ///< by index: failed for this very request
    std::optional<LastServed> last_served;     ///< its session or conversation, where that is known

    [[nodiscard]] bool was_tried(std::size_t index) const { return tried && (*tried)[index]; }
    [[nodiscard]] const std::string& key(config::BackendType type) const {
        return type == config::BackendType::ollama ? ollama_key : model;
    }
};
[[nodiscard]] Wanted wanted_of(const config::Config& config, codec::Api api,
                               const std::string& model);

/// How session and conversation of a request are known; nothing where that would not matter.
[[nodiscard]] AffinityKeys affinity_of(const Generation& generation, const Wanted& wanted,
                                       const InferenceRequest& request);

/// What the facts are made from besides backends and request.
struct Surroundings {
    const monitors::SystemSnapshot* system = nullptr;
    std::span<const Occupancy> occupancy;  ///< of each backend
    /// Whether requests run there with that model now; asked where loading would evict one.
    std::function<bool(std::string_view backend, std::string_view model)> in_use;
};

/// The facts of every backend at one moment, in configuration order. `every_refusal`, by backend:
/// where given it is told all that speaks against each, not only the first.
void gather_facts(const Generation& generation, const Wanted& wanted,
                  const Surroundings& surroundings, TimePoint now, std::vector<CandidateFacts>& out,
                  std::vector<std::vector<Refusal>>* every_refusal = nullptr);

}  // namespace ollama_proxy::router
