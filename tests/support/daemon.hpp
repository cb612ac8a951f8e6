#pragma once

#include "app/daemon.hpp"
#include "ollama_proxy/config/load.hpp"
#include "support/environment.hpp"
#include "support/wait.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::support {

/// A whole daemon in this process, on a free port of 127.0.0.1. What a configuration leaves at its
/// default becomes what a test wants: two workers, probes every 50 ms, no gRPC unless asked for, no
/// sensors but those of a tree of its own, no D-Bus, its state in a folder of its own, a log of
/// errors only. Thread: the test's, except `port()`.
class TestDaemon {
  public:
    explicit TestDaemon(config::Config config);
    /// Throws std::runtime_error with every problem when the text is no good configuration.
    explicit TestDaemon(const std::string& yaml, const config::Environment& environment = {});
    ~TestDaemon() = default;
    TestDaemon(const TestDaemon&) = delete;
    TestDaemon& operator=(const TestDaemon&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// 0 unless the configuration says `grpc_port: 0`.
    [[nodiscard]] std::uint16_t grpc_port() const { return grpc_port_; }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

    /// Brings another configuration into force as the program does at SIGHUP. `yaml` as above.
    void reload(const std::string& yaml, const config::Environment& environment = {});

    /// Stops as the program does at SIGTERM; returns when no thread of it is left.
    void stop(Milliseconds grace = Milliseconds(0)) { daemon_->stop(grace); }

    /// The entry of `id` in GET /backends; nothing when there is none. `key` is an API key.
    [[nodiscard]] std::optional<nlohmann::json> backend(std::string_view id,
                                                        std::string_view key = {}) const;
    /// Polls GET /backends until `id` is healthy; throws TimedOut with its reason when it never is.
    void wait_until_healthy(std::string_view id, std::string_view key = {}) const;
    /// The same until it is not healthy.
    void wait_until_unhealthy(std::string_view id, std::string_view key = {}) const;

  private:
    void wait_for_health(std::string_view id, std::string_view key, bool wanted) const;

    TempDir state_;
    std::shared_ptr<const config::Config> config_;
    std::unique_ptr<app::Daemon> daemon_;
    std::uint16_t port_ = 0;
    std::uint16_t grpc_port_ = 0;
};

/// One entry of `backends:` for a server on 127.0.0.1; `more` are further lines of the entry, such
/// as "type: openai\nmax_concurrency: 2".
[[nodiscard]] std::string backend_yaml(std::string_view id, std::uint16_t port,
                                       std::string_view more = {});

/// A configuration with these entries of `backends:` and further sections.
[[nodiscard]] std::string config_yaml(const std::vector<std::string>& backends,
                                      std::string_view more = {});

}  // namespace ollama_proxy::support
