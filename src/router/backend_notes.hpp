#pragma once

#include "router/affinity.hpp"
#include "router/learned.hpp"
#include "router/router_metrics.hpp"

#include <memory>
#include <utility>

namespace ollama_proxy::router {

/// Where it is written down how requests to one backend go. Any thread.
struct BackendNotes {
    BackendNotes(const config::Backend& settings, std::shared_ptr<LearnedBackend> what_is_learned)
        : metrics(settings.id),
          learned(std::move(what_is_learned)),
          affinity(affinity_id(settings.id, settings.endpoint.text)) {}

    BackendMetrics metrics;
    const std::shared_ptr<LearnedBackend> learned;  ///< null: router.auto_optimize is off
    const std::uint64_t affinity;  ///< how it is called in the table of who was served where
    /// A cold model was loaded: the catalog is asked at most this often what is in memory now.
    std::atomic<TimePoint::rep> ask_what_is_loaded_at{0};
};

}  // namespace ollama_proxy::router
