#pragma once

#include "ollama_proxy/config/backend.hpp"
#include "ollama_proxy/config/words.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The configuration as plain values. A default-constructed struct holds the documented defaults;
/// what `load.hpp` returns is validated, immutable and shared: a reload makes a new one.
namespace ollama_proxy::config {

struct Limits {
    std::size_t header_bytes = 16384;
    std::size_t header_fields = 100;
    std::size_t body_bytes = 67108864;
    std::size_t connections = 4096;
    std::size_t buffered_bytes = 268435456;
    milliseconds header_timeout{10000};
    milliseconds body_stall{30000};
    milliseconds idle_timeout{75000};
    milliseconds write_stall{60000};
};

struct Permissions {
    bool inference = false;
    bool read = false;
    bool admin = false;

    friend bool operator==(const Permissions&, const Permissions&) = default;
};

/// A client's key. Only the hash of the secret is kept.
struct ApiKey {
    std::string name;
    std::array<unsigned char, 32> sha256{};
    Permissions permissions;
};

struct Auth {
    bool enabled = false;
    std::vector<ApiKey> api_keys;
};

struct RateLimit {
    bool enabled = false;
    double rate = 10.0;  ///< requests per second, per key or else per address
    unsigned burst = 20;
};

struct Server {
    std::vector<std::string> host{"127.0.0.1"};
    std::uint16_t http_port = 8080;                  ///< 0 = any free port
    std::optional<std::uint16_t> grpc_port = 50051;  ///< nullopt = off, 0 = any free port
    unsigned workers = 0;                            ///< 0 = one per core
    bool allow_unauthenticated = false;
    std::vector<std::string> allowed_hosts;
    std::vector<std::string> allowed_origins;
    milliseconds shutdown_grace{10000};
    Limits limits;
    Auth auth;
    RateLimit rate_limit;
};

/// What is set replaces the weight of every mode.
struct Weights {
    std::optional<double> latency;
    std::optional<double> power;
    std::optional<double> load;
    std::optional<double> hardware;
    std::optional<double> thermal;
    std::optional<double> warmth;
    std::optional<double> affinity;
    std::optional<double> error_rate;
};

struct Hedge {
    bool enabled = false;
    unsigned percentile = 95;
    unsigned max_percent = 5;
};

struct Retry {
    unsigned max_attempts = 2;  ///< the first try included
    unsigned budget_percent = 20;
    unsigned budget_min = 3;
};

struct Router {
    bool strict_latency = false;
    bool power_aware = true;
    bool auto_optimize = true;
    std::string default_backend;  ///< empty, or the id of a backend
    bool target_fallback = true;
    bool affinity = true;
    Weights weights;
    Hedge hedge;
    Retry retry;
    std::map<std::string, std::string> aliases;  ///< model name asked -> model name used
};

struct Queue {
    std::size_t max_size = 512;
    milliseconds timeout{30000};
    milliseconds aging{5000};
    unsigned critical_overcommit = 1;
    unsigned reserved_slots = 0;
    bool preempt_best_effort = false;
};

struct Health {
    milliseconds interval{5000};
    milliseconds idle_interval{60000};
    milliseconds timeout{2000};
    unsigned unhealthy_threshold = 3;
    unsigned healthy_threshold = 1;
};

struct CircuitBreaker {
    unsigned consecutive_failures = 5;
    unsigned failure_percent = 50;
    unsigned min_requests = 20;
    milliseconds window{30000};
    milliseconds open{5000};
    milliseconds max_open{60000};
};

struct Stream {
    milliseconds keepalive{0};  ///< 0 = no keep-alive comments
};

struct WebSocket {
    unsigned max_in_flight = 16;
    std::size_t frame_bytes = 1048576;
    bool deflate = false;
};

struct Monitors {
    bool enabled = true;
    std::filesystem::path sysfs_root = "/sys";
    std::filesystem::path proc_root = "/proc";
    milliseconds interval{5000};
    milliseconds idle_interval{30000};
    bool nvml = true;
};

/// Degrees Celsius.
struct Thermal {
    double elevated = 80;
    double high = 85;
    double critical = 90;
    double recovery = 75;
    bool configured =
        false;  ///< any of them given: then a sensor's own limit does not replace them
};

struct QuietHours {
    bool enabled = false;
    unsigned start_hour = 22;
    unsigned end_hour = 7;
};

/// What the file changes of one mode; what is not set keeps the built-in value.
struct ModeOverride {
    std::optional<double> latency;  ///< weights
    std::optional<double> power;
    std::optional<double> load;
    std::optional<double> power_budget_watts;
    std::optional<std::vector<Hardware>> hardware;  ///< allowed, best first
    std::optional<double> fan_limit_percent;
    std::optional<unsigned> max_concurrency;

    friend bool operator==(const ModeOverride&, const ModeOverride&) = default;
};

struct Efficiency {
    Mode default_mode = Mode::balanced;
    bool strict = false;
    bool remember = true;
    QuietHours quiet_hours;
    std::map<Mode, ModeOverride> modes;  ///< never `automatic`
};

struct DBus {
    bool enabled = true;
    bool routing_signals = false;
};

struct Notifications {
    bool enabled = true;
    bool mode_changes = true;
    bool backend_health = true;
    bool thermal = true;
};

struct Logging {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    bool access_log = true;
};

struct Metrics {
    bool enabled = true;
};

struct Config {
    Server server;
    Router router;
    Queue queue;
    std::vector<Backend> backends;
    Health health;
    CircuitBreaker circuit_breaker;
    Stream stream;
    WebSocket websocket;
    Monitors monitors;
    Thermal thermal;
    Efficiency efficiency;
    DBus dbus;
    Notifications notifications;
    Logging logging;
    Metrics metrics;
    std::filesystem::path state_dir;  ///< resolved; empty only when no home directory is known
    bool discover_local = true;       ///< no `backends` key: every Ollama on localhost:11434..11437
    std::string source;               ///< file name or "built-in defaults", for the first log line
};

}  // namespace ollama_proxy::config
