#pragma once

#include "ollama_proxy/access/client_limits.hpp"
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

namespace ollama_proxy::http {

/// The HTTP front end: one acceptor per address on the control thread, sessions on the workers.
class Server {
  public:
    Server(boost::asio::io_context& control, runtime::WorkerPool& workers, router::Router& router,
           efficiency::Controller& controller, std::shared_ptr<access::ClientLimits> limits,
           std::shared_ptr<const config::Config> config);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Binds and listens on every configured address, or on the sockets that were handed over where
    /// there are any; the error names the port and what to do.
    [[nodiscard]] std::optional<Error> listen(const std::vector<int>& handed_over = {});
    /// Where it listens, with the real ports.
    [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;
    /// Begins to accept. Thread: control.
    void start();
    /// Requests that come from now on see this configuration, also on open connections; an open
    /// WebSocket keeps the bounds of its messages. Thread: any.
    void reload(std::shared_ptr<const config::Config> config);

    /// Stops accepting, closes idle connections at once, lets requests in progress finish within
    /// `grace`, then ends streams with an error event and closes. Thread: control.
    [[nodiscard]] boost::asio::awaitable<void> stop(Milliseconds grace);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::http
