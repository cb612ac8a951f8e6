#include "grpc/library_server.hpp"

#include "grpc/call_reactor.hpp"
#include "grpc/methods.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#if __has_include(<grpcpp/impl/server_callback_handlers.h>)  // its place since 1.52
#include <grpcpp/impl/server_callback_handlers.h>
#else
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#endif
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <span>

namespace ollama_proxy::grpc_api {
namespace {

constexpr int kStreamsPerConnection = 256;
/// For calls that are being answered to end when the server goes: they were told before.
constexpr std::chrono::milliseconds kShutdown{200};
constexpr int kKeepaliveMs = 60000;  ///< a peer that vanished without a word is noticed

int whole(std::size_t value) {
    return static_cast<int>(std::min<std::size_t>(value, std::numeric_limits<int>::max()));
}
int whole(Milliseconds value) { return whole(static_cast<std::size_t>(value.count())); }

/// What the code generator would write, but that every method is a stream of raw messages.
class RawService final : public ::grpc::Service {
  public:
    template <class Begin>
    RawService(std::span<const Method> methods, const Begin& begin) {
        using Bytes = ::grpc::ByteBuffer;
        using ::grpc::internal::RpcMethod;
        for (std::size_t i = 0; i < methods.size(); ++i) {
            const Method& method = methods[i];
            AddMethod(new ::grpc::internal::RpcServiceMethod(method.path, RpcMethod::BIDI_STREAMING,
                                                             nullptr));
            MarkMethodRawCallback(static_cast<int>(i),
                                  new ::grpc::internal::CallbackBidiHandler<Bytes, Bytes>(
                                      [&method, begin](::grpc::CallbackServerContext* context) {
                                          return begin(method, *context);
                                      }));
        }
    }
};

/// Makes the reactor of a call on the next worker.
struct BeginCall {
    std::shared_ptr<Shared> shared;
    std::vector<WorkerCalls*> calls;
    std::shared_ptr<std::atomic<std::size_t>> next = std::make_shared<std::atomic<std::size_t>>(0);

    Call::Reactor* operator()(const Method& method, ::grpc::CallbackServerContext& context) const {
        WorkerCalls& on = *calls[next->fetch_add(1, std::memory_order_relaxed) % calls.size()];
        auto reactor = std::make_shared<Call::Reactor>(shared, method, on, context);
        reactor->start();
        return reactor.get();
    }
};

BeginCall begin_call(std::shared_ptr<Shared> shared,
                     const std::vector<std::unique_ptr<WorkerCalls>>& calls) {
    BeginCall out{std::move(shared), {}};
    for (const auto& of_worker : calls) out.calls.push_back(of_worker.get());
    return out;
}

void set_limits(::grpc::ServerBuilder& builder, const config::Limits& limits) {
    ::grpc::ResourceQuota quota("ollama-proxy");
    quota.Resize(limits.buffered_bytes);
    builder.SetResourceQuota(quota);
    builder.SetMaxReceiveMessageSize(whole(limits.body_bytes));
    // unpacked first and measured then, a small message could take all memory
    for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
        builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
    }
    // over its own limit the library may close the connection: our gate refuses the call alone
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, whole(2 * limits.header_bytes));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, whole(limits.header_timeout));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, whole(limits.idle_timeout));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    // only reflection is served by threads that wait
    builder.SetSyncServerOption(::grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(::grpc::ServerBuilder::MAX_POLLERS, 1);
}

}  // namespace

struct LibraryServer::Impl {
    explicit Impl(const BeginCall& begin)
        : proxy(proxy_methods(), begin), health(health_methods(), begin) {}

    RawService proxy;
    RawService health;
    std::unique_ptr<::grpc::experimental::ExternalConnectionAcceptor> acceptor;
    std::unique_ptr<::grpc::Server> server;
};

LibraryServer::LibraryServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::unique_ptr<LibraryServer> LibraryServer::start(
    std::shared_ptr<Shared> shared, const std::vector<std::unique_ptr<WorkerCalls>>& calls) {
    static std::once_flag once;
    std::call_once(once, ::grpc::reflection::InitProtoReflectionServerBuilderPlugin);
    const config::Limits limits = shared->config.load()->server.limits;
    auto impl = std::make_unique<Impl>(begin_call(std::move(shared), calls));
    ::grpc::ServerBuilder builder;
    set_limits(builder, limits);
    builder.RegisterService(&impl->proxy);
    builder.RegisterService(&impl->health);
    using External = ::grpc::ServerBuilder::experimental_type::ExternalConnectionType;
    impl->acceptor = builder.experimental().AddExternalConnectionAcceptor(
        External::FROM_FD, ::grpc::InsecureServerCredentials());
    impl->server = builder.BuildAndStart();
    if (!impl->server) {
        telemetry::log_error("the gRPC library cannot start its server");
        return nullptr;
    }
    return std::unique_ptr<LibraryServer>(new LibraryServer(std::move(impl)));
}

LibraryServer::~LibraryServer() {
    impl_->server->Shutdown(std::chrono::system_clock::now() + kShutdown);
    impl_->server->Wait();
}

void LibraryServer::take(int descriptor) {
    ::grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = descriptor;
    impl_->acceptor->HandleNewConnection(&connection);
}

}  // namespace ollama_proxy::grpc_api
