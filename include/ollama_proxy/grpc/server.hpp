#pragma once

#include "ollama_proxy/access/client_limits.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/router/router.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <optional>
#include <vector>

/// The room is called `grpc`, its namespace is not: inside `ollama_proxy` a namespace `grpc` would
/// hide the library's own, and every mention of it would need a leading `::`, forgotten at once.
namespace ollama_proxy::grpc_api {

/// How long the gRPC library stays awake without a connection: awake it owns threads that wake up
/// several times a second.
inline constexpr Milliseconds kLinger{60000};

/// The gRPC front end: our own listeners, whose connections are handed to the library, and calls
/// that run on the workers. Without a connection there is no gRPC server at all: it is made for the
/// first one and given up `linger` after the last.
class Server {
  public:
    Server(boost::asio::io_context& control, runtime::WorkerPool& workers, router::Router& router,
           efficiency::Controller& controller, std::shared_ptr<access::ClientLimits> limits,
           std::shared_ptr<const config::Config> config, Milliseconds linger = kLinger);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Binds and listens on server.grpc_port of every configured address, where it is on; the error
    /// names the port and what to do.
    /// Sockets that were handed over are used instead.
    [[nodiscard]] std::optional<Error> listen(const std::vector<int>& handed_over = {});
    /// Where it listens, with the real ports; empty when it is off.
    [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;
    /// Begins to accept. Thread: control.
    void start();
    /// Calls that come from now on see this configuration; what the library itself was told (the
    /// largest message and head) holds until it has slept. Thread: any.
    void reload(std::shared_ptr<const config::Config> config);
    /// The library's server exists. Any thread.
    [[nodiscard]] bool is_awake() const;

    /// No new connections, and new calls are UNAVAILABLE. Thread: control.
    void stop_accepting();
    /// Lets calls in progress finish within `grace`, then ends them with UNAVAILABLE and closes.
    /// Afterwards no thread of the library refers to anything of ours. Thread: control.
    [[nodiscard]] boost::asio::awaitable<void> stop(Milliseconds grace);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::grpc_api
