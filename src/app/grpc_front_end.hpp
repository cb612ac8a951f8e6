#pragma once

#include "ollama_proxy/access/client_limits.hpp"
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

namespace ollama_proxy::app {

/// The gRPC front end where this build has one: the only place that knows whether it has. Without,
/// there are no endpoints and nothing happens. Same rules as `grpc_api::Server`.
class GrpcFrontEnd {
  public:
    GrpcFrontEnd(boost::asio::io_context& control, runtime::WorkerPool& workers,
                 router::Router& router, efficiency::Controller& controller,
                 std::shared_ptr<access::ClientLimits> limits,
                 std::shared_ptr<const config::Config> config);
    ~GrpcFrontEnd();
    GrpcFrontEnd(const GrpcFrontEnd&) = delete;
    GrpcFrontEnd& operator=(const GrpcFrontEnd&) = delete;

    [[nodiscard]] static bool is_built_in();
    [[nodiscard]] std::optional<Error> listen(const std::vector<int>& handed_over);
    [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;
    void start();
    void reload(std::shared_ptr<const config::Config> config);
    void stop_accepting();
    [[nodiscard]] boost::asio::awaitable<void> stop(Milliseconds grace);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::app
