// What the energy of a request is told to be over gRPC.

#include "grpc_client.hpp"
#include "integration/counted_energy.hpp"

namespace ollama_proxy::support {
namespace {

TEST_F(CountedEnergy, IsInTheStatsOfAGrpcAnswerInWattHours) {
    const GenerateResponse response = draws_fifty_joules([port = daemon_->grpc_port()] {
        const auto stub = grpc_tests::stub_for(port);
        GenerateResponse out;
        EXPECT_TRUE(grpc_tests::generate(*stub, grpc_tests::prompt(), out).ok());
        return out;
    });
    ASSERT_TRUE(response.stats().has_energy_wh());
    EXPECT_NEAR(response.stats().energy_wh() * 3600, kJoules, kClose);
}

}  // namespace
}  // namespace ollama_proxy::support
