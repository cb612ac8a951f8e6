// gRPC calls in the access log.

#include "ollama_proxy/telemetry/access_log.hpp"

#include "grpc_client.hpp"
#include "ollama_proxy/telemetry/log.hpp"
#include "support/exposition.hpp"

#include <gmock/gmock.h>

namespace ollama_proxy::grpc_tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kNoLines = "logging: { access_log: false }\n";

/// A call whose line, if there is one, names `id`.
void list_models(const TestDaemon& daemon, const std::string& id) {
    const auto stub = stub_for(daemon.grpc_port());
    ClientContext context;
    context.AddMetadata("x-request-id", id);
    ListModelsResponse response;
    EXPECT_TRUE(stub->ListModels(&context, {}, &response).ok());
}

TEST(GrpcAccessLog, HasALineForEachCallAsLongAsTheConfigurationWantsIt) {
    testing::internal::CaptureStderr();
    telemetry::start_logging({});
    telemetry::start_access_log();
    {
        TestDaemon daemon(support::config_yaml({}, kGrpcOn));
        list_models(daemon, "call-one");
        daemon.reload(support::config_yaml({}, kGrpcOn + kNoLines));
        list_models(daemon, "call-two");
        daemon.reload(support::config_yaml({}, kGrpcOn));
        list_models(daemon, "call-three");
    }
    telemetry::stop_access_log();
    telemetry::stop_logging();
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_THAT(log, HasSubstr("gRPC /ollama_proxy.OllamaProxy/ListModels 200"));
    EXPECT_THAT(log, HasSubstr("id=call-one"));
    EXPECT_THAT(log, Not(HasSubstr("id=call-two")));
    EXPECT_THAT(log, HasSubstr("id=call-three"));
}

TEST(GrpcAccessLog, ALineThatNobodyWantsIsNotLost) {
    const TestDaemon daemon(support::config_yaml({}, kGrpcOn + kNoLines));
    const auto lost = [&] {
        return support::Exposition(support::http_get(daemon.port(), "/metrics").body)
            .sum("ollama_proxy_access_records_dropped_total");
    };
    const double before = lost();
    list_models(daemon, "unlogged");
    EXPECT_EQ(lost(), before);
}

}  // namespace
}  // namespace ollama_proxy::grpc_tests
