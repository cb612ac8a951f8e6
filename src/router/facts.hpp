#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"
#include "ollama_proxy/router/decision.hpp"
#include "ollama_proxy/upstream/backend.hpp"
#include "router/admission.hpp"
#include "router/backend_notes.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
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

    [[nodiscard]] const std::string& key(config::BackendType type) const {
        return type == config::BackendType::ollama ? ollama_key : model;
    }
};
[[nodiscard]] Wanted wanted_of(const config::Config& config, codec::Api api,
                               const std::string& model);

/// The facts of every backend at one moment, in configuration order.
void gather_facts(const Generation& generation, const Wanted& wanted,
                  const efficiency::Policy& policy, const monitors::SystemSnapshot* system,
                  std::span<const Occupancy> occupancy, std::size_t all_in_flight, TimePoint now,
                  std::vector<CandidateFacts>& out);

}  // namespace ollama_proxy::router
