#pragma once

#include <chrono>
#include <string>

namespace ollama_proxy::router {

/// The probes of a backend have changed their verdict.
struct HealthNews {
    std::string id;
    std::string name;
    bool healthy = false;
    bool first = false;  ///< nothing was known before
    std::string reason;  ///< why it is down
};

/// Where a request went that was given to a backend.
struct LastDecision {
    std::string backend;
    std::string reason;
    double score = 0;
    std::chrono::system_clock::time_point at{};
};

}  // namespace ollama_proxy::router
