#include "app/grpc_front_end.hpp"

#ifdef OLLAMA_PROXY_GRPC
#include "ollama_proxy/grpc/server.hpp"
#endif

namespace ollama_proxy::app {
namespace asio = boost::asio;

#ifdef OLLAMA_PROXY_GRPC

struct GrpcFrontEnd::Impl {
    grpc_api::Server server;
};

GrpcFrontEnd::GrpcFrontEnd(asio::io_context& control, runtime::WorkerPool& workers,
                           router::Router& router, efficiency::Controller& controller,
                           std::shared_ptr<access::ClientLimits> limits,
                           std::shared_ptr<const config::Config> config)
    : impl_(
          new Impl{{control, workers, router, controller, std::move(limits), std::move(config)}}) {}

bool GrpcFrontEnd::is_built_in() { return true; }
std::optional<Error> GrpcFrontEnd::listen(const std::vector<int>& handed_over) {
    return impl_->server.listen(handed_over);
}
std::vector<asio::ip::tcp::endpoint> GrpcFrontEnd::endpoints() const {
    return impl_->server.endpoints();
}
void GrpcFrontEnd::start() { impl_->server.start(); }
void GrpcFrontEnd::reload(std::shared_ptr<const config::Config> config) {
    impl_->server.reload(std::move(config));
}
void GrpcFrontEnd::stop_accepting() { impl_->server.stop_accepting(); }
asio::awaitable<void> GrpcFrontEnd::stop(Milliseconds grace) { return impl_->server.stop(grace); }

#else

struct GrpcFrontEnd::Impl {};

GrpcFrontEnd::GrpcFrontEnd(asio::io_context&, runtime::WorkerPool&, router::Router&,
                           efficiency::Controller&, std::shared_ptr<access::ClientLimits>,
                           std::shared_ptr<const config::Config>) {}

bool GrpcFrontEnd::is_built_in() { return false; }
std::optional<Error> GrpcFrontEnd::listen(const std::vector<int>&) { return std::nullopt; }
std::vector<asio::ip::tcp::endpoint> GrpcFrontEnd::endpoints() const { return {}; }
void GrpcFrontEnd::start() {}
void GrpcFrontEnd::reload(std::shared_ptr<const config::Config>) {}
void GrpcFrontEnd::stop_accepting() {}
asio::awaitable<void> GrpcFrontEnd::stop(Milliseconds) { co_return; }

#endif

GrpcFrontEnd::~GrpcFrontEnd() = default;

}  // namespace ollama_proxy::app
