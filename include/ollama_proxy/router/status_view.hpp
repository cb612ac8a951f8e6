#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::router {

/// One backend as adaptors show it: plain values at one moment.
struct BackendView {
    std::string id;
    std::string name;
    std::string type;
    std::string hardware;
    std::string endpoint;
    bool enabled = true;
    std::string state;     ///< "healthy", "unhealthy", "unknown", "disabled"
    bool healthy = false;  ///< requests may go there now
    std::string reason;    ///< why not, empty when all is well
    std::string circuit;   ///< "closed", "open", "half-open"
    std::vector<std::string> models;
    std::vector<std::string> loaded_models;
    std::size_t queue_depth = 0;
    std::array<std::size_t, 4> waiting{};  ///< by priority, best-effort first
    std::size_t in_flight = 0;
    unsigned max_concurrency = 0;
    double avg_latency_ms = 0;
    std::optional<double> ttft_ms;
    std::optional<double> tokens_per_second;
    std::optional<double> power_watts;
    std::optional<double> temperature_c;
    bool throttled = false;
    int priority = 0;
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;
    std::optional<double> joules_per_token;
    std::string energy_source;  ///< empty: nothing is known
};

/// What the daemon shows of itself; immutable.
struct StatusView {
    std::vector<BackendView> backends;
    std::array<std::size_t, 4> waiting{};  ///< in the queue, by priority, best-effort first
    std::string mode;
    std::string effective_mode;
    bool accepting = true;  ///< false once the daemon is stopping
    bool ready = false;     ///< at least one backend can serve
};

/// A model over all backends.
struct ModelView {
    std::string name;
    std::int64_t created = 0;
    std::string owned_by;
    std::string json;  ///< the entry of the first backend that has it
    std::vector<std::string> backends;
    bool loaded = false;
};

/// A model in memory somewhere.
struct LoadedModelView {
    std::string name;
    std::string json;
};

struct ModelsView {
    std::vector<ModelView> models;  ///< each name once, in configuration order
    std::vector<LoadedModelView> loaded;
    std::string version;  ///< lowest of the Ollama backends, empty if none said
};

}  // namespace ollama_proxy::router
