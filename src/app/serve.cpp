#include "app/serve.hpp"

#include "app/activation.hpp"
#include "app/daemon.hpp"
#include "app/demo_machine.hpp"
#include "app/discovery.hpp"
#include "app/grpc_front_end.hpp"
#include "app/load_configuration.hpp"
#include "app/stop_signals.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <sys/resource.h>

namespace ollama_proxy::app {
namespace {

constexpr std::chrono::milliseconds kDiscoveryLimit{300};

/// Log threads for the time of serving; what is queued is written before they end.
class Logs {
  public:
    explicit Logs(const config::Logging& settings) {
        telemetry::start_logging(settings);
        if (settings.access_log) telemetry::start_access_log();
    }
    ~Logs() {
        telemetry::stop_access_log();
        telemetry::stop_logging();
    }
    Logs(const Logs&) = delete;
    Logs& operator=(const Logs&) = delete;
};

/// A stream holds two descriptors: the usual soft limit of 1024 would be the daemon's limit.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string enabled_default(const config::Config& config) {
    const std::string& wanted = config.router.default_backend;
    const bool known =
        std::any_of(config.backends.begin(), config.backends.end(),
                    [&](const config::Backend& backend) { return backend.id == wanted; });
    return known ? wanted : "";
}

void warn_when_open_to_all(const config::Config& config,
                           const std::vector<boost::asio::ip::tcp::endpoint>& endpoints) {
    if (config.server.auth.enabled) return;
    for (const auto& endpoint : endpoints) {
        if (endpoint.address().is_loopback()) continue;
        const std::string address = endpoint.address().to_string();
        telemetry::log_warn(
            "everybody who reaches this address may use and manage the models: no API keys are "
            "asked for",
            {{"address", address}});
    }
}

}  // namespace

int serve(const Options& options, const config::Environment& environment) {
    const config::LoadResult loaded = load_configuration(options, environment);
    if (!loaded) {
        for (const config::Problem& problem : loaded.problems) {
            std::fprintf(stderr, "%s\n", problem.to_string().c_str());
        }
        return 1;
    }
    StopSignals signals;  // before every thread
    raise_descriptor_limit();
    auto config = std::make_shared<config::Config>(*loaded.config);
    const Logs logs(config->logging);

    std::optional<DemoMachine> demo;
    bool nobody_found = false;
    if (options.demo) {
        config->backends = demo.emplace().backends();
        config->discover_local = false;
    } else if (config->discover_local) {
        Discovery discovery =
            discover_local(kUsualPorts, config->server.http_port, kDiscoveryLimit);
        config->backends = std::move(discovery.backends);
        nobody_found = !discovery.found;
    }
    // Validation could not know the ids of backends that are only found now.
    const std::string named = config->router.default_backend;
    config->router.default_backend = enabled_default(*config);

    auto activation = take_activation(config->server.grpc_port);
    if (!activation) {
        std::fprintf(stderr, "ollama-proxy: %s\n", activation.error().message.c_str());
        return 1;
    }
    Daemon daemon(config, std::move(*activation));
    if (const auto error = daemon.start()) {
        std::fprintf(stderr, "ollama-proxy: %s\n", error->message.c_str());
        return 1;
    }
    const auto endpoints = daemon.endpoints();
    const std::string started = first_line(*config, endpoints, daemon.grpc_endpoints());
    std::printf("%s\n", started.c_str());
    std::fflush(stdout);
    notify_ready(started);

    for (const std::string& warning : loaded.warnings) telemetry::log_warn(warning);
    warn_when_open_to_all(*config, endpoints);
    if (config->server.grpc_port && !GrpcFrontEnd::is_built_in()) {
        telemetry::log_warn("this build has no gRPC: server.grpc_port is not served");
    }
    if (named != config->router.default_backend) {
        telemetry::log_warn("router.default_backend names no backend that is there",
                            {{"id", named}});
    }
    if (nobody_found) {
        telemetry::log_warn(
            "no Ollama answers on localhost:11434..11437 yet: start Ollama, or write a "
            "configuration that names your backends, or run ollama-proxy --demo");
    }

    const int signal = signals.wait();
    notify_stopping();
    telemetry::log_info("stopping: requests in progress may finish, a second signal ends at once",
                        {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    daemon.stop(config->server.shutdown_grace);
    return 0;
}

}  // namespace ollama_proxy::app
