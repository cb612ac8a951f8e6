#include "support/daemon.hpp"

#include "ollama_proxy/config/changes.hpp"
#include "ollama_proxy/telemetry/log.hpp"
#include "support/raw_client.hpp"

#include <sstream>
#include <stdexcept>

namespace ollama_proxy::support {
namespace {

constexpr std::chrono::milliseconds kProbeInterval{50};
constexpr unsigned kWorkers = 2;

config::Config load(const std::string& yaml, const config::Environment& environment) {
    const auto result = config::load_text(yaml, "test.yaml", environment);
    if (result) return *result.config;
    std::string problems = "the test's configuration is wrong:";
    for (const auto& problem : result.problems) problems += "\n" + problem.to_string();
    throw std::runtime_error(problems);
}

/// `value` unless the test chose one of its own.
template <class T>
void instead_of_default(T& setting, const T& usual, const T& value) {
    if (setting == usual) setting = value;
}

config::Config for_a_test(config::Config config, const std::filesystem::path& state) {
    const config::Config usual;
    config.server.http_port = 0;
    if (config.server.grpc_port == usual.server.grpc_port) config.server.grpc_port.reset();
    instead_of_default(config.server.workers, usual.server.workers, kWorkers);
    instead_of_default(config.health.interval, usual.health.interval, kProbeInterval);
    instead_of_default(config.health.idle_interval, usual.health.idle_interval, kProbeInterval);
    instead_of_default(config.logging.level, usual.logging.level, config::LogLevel::error);
    config.monitors.enabled = config.monitors.sysfs_root != usual.monitors.sysfs_root;
    config.dbus.enabled = false;
    config.notifications.enabled = false;
    config.discover_local = false;
    config.state_dir = state;
    return config;
}

}  // namespace

TestDaemon::TestDaemon(config::Config config) {
    config_ = std::make_shared<const config::Config>(for_a_test(std::move(config), state_.path()));
    telemetry::reconfigure_logging(config_->logging);
    daemon_ = std::make_unique<app::Daemon>(config_);
    if (const auto error = daemon_->listen()) throw std::runtime_error(error->message);
    daemon_->start();
    port_ = daemon_->endpoints().at(0).port();
    const auto grpc = daemon_->grpc_endpoints();
    if (!grpc.empty()) grpc_port_ = grpc.front().port();
}

TestDaemon::TestDaemon(const std::string& yaml, const config::Environment& environment)
    : TestDaemon(load(yaml, environment)) {}

void TestDaemon::reload(const std::string& yaml, const config::Environment& environment) {
    auto read =
        std::make_shared<config::Config>(for_a_test(load(yaml, environment), state_.path()));
    (void)config::take_over_running(*config_, *read);
    config_ = std::move(read);
    daemon_->reload(config_);
}

std::optional<nlohmann::json> TestDaemon::backend(std::string_view id, std::string_view key) const {
    Headers headers;
    if (!key.empty()) headers.emplace_back("Authorization", "Bearer " + std::string(key));
    const HttpReply reply = http_get(port_, "/backends", headers);
    const auto json = nlohmann::json::parse(reply.body, nullptr, false);
    if (reply.status != 200 || !json.is_object()) {
        throw std::runtime_error("GET /backends: " + std::to_string(reply.status) + " " +
                                 reply.body);
    }
    for (const auto& entry : json.at("backends")) {
        if (entry.at("id") == id) return entry;
    }
    return std::nullopt;
}

void TestDaemon::wait_for_health(std::string_view id, std::string_view key, bool wanted) const {
    std::optional<nlohmann::json> entry;
    const auto is_so = [&] {
        entry = backend(id, key);
        return entry && entry->at("healthy") == wanted;
    };
    if (eventually(is_so)) return;
    throw TimedOut("backend '" + std::string(id) + "' does not become " +
                   (wanted ? "healthy: " : "unhealthy: ") +
                   (entry ? entry->at("reason").dump() : "there is none of this id"));
}

void TestDaemon::wait_until_healthy(std::string_view id, std::string_view key) const {
    wait_for_health(id, key, true);
}

void TestDaemon::wait_until_unhealthy(std::string_view id, std::string_view key) const {
    wait_for_health(id, key, false);
}

std::string backend_yaml(std::string_view id, std::uint16_t port, std::string_view more) {
    std::string out = "  - id: \"" + std::string(id) +
                      "\"\n    endpoint: \"http://127.0.0.1:" + std::to_string(port) + "\"\n";
    std::istringstream lines{std::string(more)};
    for (std::string line; std::getline(lines, line);) out += "    " + line + "\n";
    return out;
}

std::string config_yaml(const std::vector<std::string>& backends, std::string_view more) {
    std::string out = backends.empty() ? "backends: []\n" : "backends:\n";
    for (const std::string& backend : backends) out += backend;
    return out + std::string(more) + "\n";
}

}  // namespace ollama_proxy::support
