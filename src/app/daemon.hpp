#pragma once

#include "app/activation.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace ollama_proxy::app {

/// The composition root: owns every room of a running daemon, builds them bottom-up and stops them
/// top-down. It touches no global state, so a process may hold several.
/// Thread: one call at a time, on none of its own threads.
class Daemon {
  public:
    explicit Daemon(std::shared_ptr<const config::Config> config, Activation activation = {});
    /// Stops at once if it still runs.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Takes its addresses; who connects waits until `start()`. An error: a port that cannot be
    /// had. At most once.
    [[nodiscard]] std::optional<Error> listen();

    /// Begins to serve, once `listen()` gave no error. At most once.
    void start();

    /// Where it listens for HTTP, with the real ports; empty before `listen()`.
    [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;

    /// The same for gRPC; empty also where it is off or this build has none.
    [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> grpc_endpoints() const;

    /// Brings a configuration into force without interrupting anything: requests that a backend has
    /// got already end as they began. What `config::keys_that_need_restart` names must be as it
    /// was. Returns when every new request sees it; weights and limits of the mode in force follow
    /// with the control thread's next task. Nothing happens when it does not run.
    void reload(std::shared_ptr<const config::Config> config);

    /// Refuses new requests, gives those in progress `grace`, then ends them. Returns when no
    /// thread of it is left. Nothing happens when it does not run.
    void stop(Milliseconds grace);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::app
