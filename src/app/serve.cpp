#include "app/serve.hpp"

#include "app/activation.hpp"
#include "app/daemon.hpp"
#include "app/exposure.hpp"
#include "app/grpc_front_end.hpp"
#include "app/load_configuration.hpp"
#include "app/local_backends.hpp"
#include "app/reloader.hpp"
#include "app/stop_signals.hpp"
#include "ollama_proxy/common/state_file.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <malloc.h>
#include <optional>
#include <sys/resource.h>

namespace ollama_proxy::app {
namespace {

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

/// The configuration as it can come into force.
config::LoadResult complete(config::LoadResult loaded, LocalBackends& local) {
    if (!loaded) return loaded;
    auto config = std::make_shared<config::Config>(*loaded.config);
    for (std::string& warning : local.fill_in(*config)) {
        loaded.warnings.push_back(std::move(warning));
    }
    loaded.config = std::move(config);
    return loaded;
}

std::vector<boost::asio::ip::tcp::endpoint> all_endpoints(const Daemon& daemon) {
    auto all = daemon.endpoints();
    const auto grpc = daemon.grpc_endpoints();
    all.insert(all.end(), grpc.begin(), grpc.end());
    return all;
}

int refuse(const config::LoadResult& loaded) {
    for (const config::Problem& problem : loaded.problems) {
        std::fprintf(stderr, "%s\n", problem.to_string().c_str());
    }
    return 1;
}

}  // namespace

int serve(const Options& options, const config::Environment& environment) {
    // a reload reads the same file, even where another would be found first by then
    Options again = options;
    again.config = configuration_file(options, environment);
    // before it is read, so that no change is missed
    auto watch = again.config ? std::make_unique<FileWatch>(*again.config) : nullptr;
    config::LoadResult loaded = load_configuration(again, environment);
    if (!loaded) return refuse(loaded);
    StopSignals signals;  // before every thread
    raise_descriptor_limit();
    const Logs logs(loaded.config->logging);

    LocalBackends local(options.demo);
    loaded = complete(std::move(loaded), local);
    const auto config = loaded.config;

    auto activation = take_activation(config->server.grpc_port);
    if (!activation) {
        std::fprintf(stderr, "ollama-proxy: %s\n", activation.error().message.c_str());
        return 1;
    }
    Daemon daemon(config, std::move(*activation));
    if (const auto error = daemon.listen()) {
        std::fprintf(stderr, "ollama-proxy: %s\n", error->message.c_str());
        return 1;
    }
    const auto listening = all_endpoints(daemon);
    loaded = check_exposure(std::move(loaded), listening);
    if (!loaded) return refuse(loaded);
    daemon.start();
    const auto endpoints = daemon.endpoints();
    const std::string started = first_line(*config, endpoints, daemon.grpc_endpoints());
    std::printf("%s\n", started.c_str());
    std::fflush(stdout);
    notify_ready(started);

    for (const std::string& warning : loaded.warnings) telemetry::log_warn(warning);
    const bool remembers = config->efficiency.remember || config->router.auto_optimize;
    std::optional<Error> error;
    if (remembers && !config->state_dir.empty()) error = check_state_directory(config->state_dir);
    if (error) {
        telemetry::log_warn("what is learned and set will be lost at the end",
                            {{"error", error->message}});
    }
    if (config->server.grpc_port && !GrpcFrontEnd::is_built_in()) {
        telemetry::log_warn("this build has no gRPC: server.grpc_port is not served");
    }

    if (watch && watch->fd() < 0) {
        telemetry::log_warn("the configuration file cannot be watched: send SIGHUP after a change");
    }
    ::malloc_trim(0);  // what starting took: the daemon may idle for days

    std::atomic<Milliseconds> grace{config->server.shutdown_grace};
    int signal = 0;
    {
        Reloader reloader({[&] {
                               return check_exposure(
                                   complete(load_configuration(again, environment), local),
                                   listening);
                           },
                           [&](const std::shared_ptr<const config::Config>& now) {
                               daemon.reload(now);
                               telemetry::reconfigure_logging(now->logging);
                               if (now->logging.access_log) telemetry::start_access_log();
                               grace = now->server.shutdown_grace;
                               return first_line(*now, endpoints, daemon.grpc_endpoints());
                           }},
                          config, std::move(watch));
        signals.on_hangup([&] { reloader.request(); });
        signal = signals.wait();
        signals.on_hangup({});
    }
    notify_stopping();
    telemetry::log_info("stopping: requests in progress may finish, a second signal ends at once",
                        {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    daemon.stop(grace.load());
    return 0;
}

}  // namespace ollama_proxy::app
