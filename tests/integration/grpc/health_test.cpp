// The standard services: health and reflection.

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc_client.hpp"

namespace ollama_proxy::grpc_tests {
namespace {

using ::grpc::health::v1::Health;
using HealthRequest = ::grpc::health::v1::HealthCheckRequest;
using HealthResponse = ::grpc::health::v1::HealthCheckResponse;

TEST(GrpcHealth, SaysWhetherABackendCanServeAndAsksForNoKey) {
    const config::Environment keys{{{"ASK_KEY", "sk-ask"}}};
    ScriptedBackend backend(support::good_backend());
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())},
                             "server: { grpc_port: 0, auth: { enabled: true, api_keys: [\n"
                             "  { name: ask, key_env: ASK_KEY, permissions: [read] } ] } }\n"),
        keys);
    daemon.wait_until_healthy("a", "sk-ask");
    const auto stub = Health::NewStub(connect(daemon.grpc_port()));
    const auto check = [&](const std::string& service) {
        ClientContext context;
        HealthRequest request;
        request.set_service(service);
        HealthResponse response;
        const Status status = stub->Check(&context, request, &response);
        return status.ok() ? static_cast<int>(response.status()) : -status.error_code();
    };
    EXPECT_EQ(check(""), HealthResponse::SERVING);
    EXPECT_EQ(check("ollama_proxy.OllamaProxy"), HealthResponse::SERVING);
    EXPECT_EQ(check("other.Service"), -StatusCode::NOT_FOUND);

    ClientContext context;
    auto watch = stub->Watch(&context, {});
    HealthResponse seen;
    ASSERT_TRUE(watch->Read(&seen));
    EXPECT_EQ(seen.status(), HealthResponse::SERVING);
    backend.stop();
    ASSERT_TRUE(watch->Read(&seen));
    EXPECT_EQ(seen.status(), HealthResponse::NOT_SERVING);
    EXPECT_EQ(check(""), HealthResponse::NOT_SERVING);
    context.TryCancel();
    EXPECT_EQ(watch->Finish().error_code(), StatusCode::CANCELLED);
}

TEST(GrpcHealth, AServiceThatIsNotKnownIsWatchedAsUnknown) {
    const TestDaemon daemon(support::config_yaml({}, kGrpcOn));
    const auto stub = Health::NewStub(connect(daemon.grpc_port()));
    ClientContext context;
    HealthRequest request;
    request.set_service("other.Service");
    auto watch = stub->Watch(&context, request);
    HealthResponse seen;
    ASSERT_TRUE(watch->Read(&seen));
    EXPECT_EQ(seen.status(), HealthResponse::SERVICE_UNKNOWN);
    context.TryCancel();
    (void)watch->Finish();
}

}  // namespace
}  // namespace ollama_proxy::grpc_tests
