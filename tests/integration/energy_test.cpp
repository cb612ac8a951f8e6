// What a request's energy is told to be, by a processor that counts it.

#include "counted_energy.hpp"
#include "support/ws_client.hpp"

namespace ollama_proxy::support {
namespace {

TEST_F(CountedEnergy, IsChargedToTheRequestAndWhatWasDrawnBeforeAndAfterToNobody) {
    const HttpReply reply = draws_fifty_joules(
        [port = daemon_->port()] { return http_post(port, kChat, chat_body()); });
    ASSERT_EQ(reply.status, 200);
    EXPECT_NEAR(std::stod(reply.header("X-Energy-Joules")), kJoules, kClose);
    const auto shown = daemon_->backend("cpu");
    EXPECT_NEAR(shown->at("joules_per_token").get<double>(), kJoules / 5, kClose);
    EXPECT_EQ(shown->at("energy_source"), "rapl");
    const std::string metrics = http_get(daemon_->port(), "/metrics").body;
    const std::string sample = R"(ollama_proxy_energy_joules_total{backend="cpu",source="rapl"} )";
    const auto at = metrics.find(sample);
    ASSERT_NE(at, std::string::npos) << metrics;
    EXPECT_NEAR(std::stod(metrics.substr(at + sample.size())), kJoules, kClose);
}

TEST_F(CountedEnergy, IsInTheLastMessageOfAWebSocketRequest) {
    const auto messages = draws_fifty_joules([port = daemon_->port()] {
        WsClient client(port);
        client.send({{"request_id", "r"}, {"model", "test-model"}, {"prompt", "hi"}});
        return client.read_answer("r");
    });
    ASSERT_FALSE(messages.empty());
    EXPECT_NEAR(messages.back().at("energy_j").get<double>(), kJoules, kClose);
}

}  // namespace
}  // namespace ollama_proxy::support
