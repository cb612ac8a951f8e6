#pragma once

#include "router/router_metrics.hpp"

namespace ollama_proxy::router {

/// Where it is written down how requests to one backend go. Any thread.
struct BackendNotes {
    explicit BackendNotes(const config::Backend& settings) : metrics(settings.id) {}

    BackendMetrics metrics;
};

}  // namespace ollama_proxy::router
