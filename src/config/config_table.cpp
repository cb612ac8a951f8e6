#include "config/rows.hpp"
#include "config/tables.hpp"

namespace ollama_proxy::config {
namespace {

Table<Queue> queue_table() {
    return {count("max_size", &Queue::max_size, 0),
            duration("timeout_ms", &Queue::timeout),
            duration("aging_ms", &Queue::aging),
            count("critical_overcommit", &Queue::critical_overcommit, 0),
            count("reserved_slots", &Queue::reserved_slots, 0),
            boolean("preempt_best_effort", &Queue::preempt_best_effort)};
}

Table<Health> health_table() {
    return {interval("interval_ms", &Health::interval),
            interval("idle_interval_ms", &Health::idle_interval),
            duration("timeout_ms", &Health::timeout),
            count("unhealthy_threshold", &Health::unhealthy_threshold),
            count("healthy_threshold", &Health::healthy_threshold)};
}

Table<CircuitBreaker> circuit_breaker_table() {
    return {count("consecutive_failures", &CircuitBreaker::consecutive_failures),
            integer("failure_percent", &CircuitBreaker::failure_percent, 1, 100),
            count("min_requests", &CircuitBreaker::min_requests),
            duration("window_ms", &CircuitBreaker::window),
            duration("open_ms", &CircuitBreaker::open),
            duration("max_open_ms", &CircuitBreaker::max_open)};
}

Table<Logging> logging_table() {
    return {word("level", &Logging::level, parse_log_level,
                 {"trace", "debug", "info", "warn", "error", "off"}),
            word("format", &Logging::format, parse_log_format, {"text", "json", "journal"}),
            boolean("access_log", &Logging::access_log)};
}

/// The key's presence alone says that local servers are not to be looked for.
Field<Config> backends_field() {
    auto field =
        list<Config, Backend>("backends", &Config::backends, backend_table(), complete_backend, [] {
            Backend blank;
            blank.max_concurrency = 0;  // 0 = not given
            blank.max_in_flight = 0;
            return blank;
        }());
    field.read = [inner = std::move(field.read)](Reader& reader, const Node* node,
                                                 const std::string& key, Config& config) {
        config.discover_local = false;
        inner(reader, node, key, config);
    };
    field.compare = [](const std::string&, const Config& running, Config& read, Changes& out) {
        compare_backends(running.backends, read.backends, out);
    };
    return field;
}

}  // namespace

Table<Config> config_table() {
    return {
        section("server", &Config::server, server_table()),
        section("router", &Config::router, router_table()).also("routing"),
        section("queue", &Config::queue, queue_table()),
        backends_field(),
        section("health", &Config::health, health_table()),
        section("circuit_breaker", &Config::circuit_breaker, circuit_breaker_table()),
        section("stream", &Config::stream, {duration("keepalive_ms", &Stream::keepalive, 0)}),
        section("websocket", &Config::websocket,
                {count("max_in_flight", &WebSocket::max_in_flight),
                 integer("frame_bytes", &WebSocket::frame_bytes, 1, kMaxBytes),
                 boolean("deflate", &WebSocket::deflate)}),
        section("monitors", &Config::monitors, monitors_table()),
        section("thermal", &Config::thermal, thermal_table()),
        section("efficiency", &Config::efficiency, efficiency_table()),
        section("efficiency_modes", &Config::efficiency, efficiency_modes_table()).as_hidden(),
        section("dbus", &Config::dbus,
                {boolean("enabled", &DBus::enabled),
                 boolean("routing_signals", &DBus::routing_signals)}),
        section("notifications", &Config::notifications,
                {boolean("enabled", &Notifications::enabled),
                 boolean("mode_changes", &Notifications::mode_changes),
                 boolean("backend_health", &Notifications::backend_health),
                 boolean("thermal", &Notifications::thermal)}),
        section("logging", &Config::logging, logging_table()),
        section("metrics", &Config::metrics, {boolean("enabled", &Metrics::enabled)}),
        text("state_dir", &Config::state_dir),
    };
}

std::vector<KeyInfo> known_keys() {
    std::vector<KeyInfo> keys;
    describe_table(config_table(), "", keys);
    return keys;
}

}  // namespace ollama_proxy::config
