// gRPC calls on the page of metrics.

#include "grpc_client.hpp"
#include "support/exposition.hpp"

#include <gmock/gmock.h>

namespace ollama_proxy::grpc_tests {
namespace {

using support::Exposition;

Exposition page_of(const TestDaemon& daemon) {
    return Exposition(support::http_get(daemon.port(), "/metrics").body);
}

TEST(GrpcMetrics, CountEachCallByMethodAndStatus) {
    Client client({ndjson({R"({"response":"a"})", kOllamaEnd})});
    const Exposition before = page_of(client.daemon());
    const auto grown = [&](const std::string& name, const Exposition::Labels& labels = {}) {
        return page_of(client.daemon()).sum(name, labels) - before.sum(name, labels);
    };
    GenerateResponse response;
    ASSERT_TRUE(generate(client.stub(), prompt(), response).ok());
    EXPECT_FALSE(generate(client.stub(), prompt("hi", "nobody-has-it"), response).ok());
    ClientContext context;
    auto reader = client->GenerateStream(&context, prompt());
    for (GenerateStreamResponse piece; reader->Read(&piece);) {
    }
    ASSERT_TRUE(reader->Finish().ok());

    const std::string calls = "ollama_proxy_grpc_calls_total";
    const std::string unary = "/ollama_proxy.OllamaProxy/Generate";
    const std::string stream = "/ollama_proxy.OllamaProxy/GenerateStream";
    // the status is counted before it goes out
    EXPECT_EQ(grown(calls, {{"method", unary}, {"code", "OK"}}), 1);
    EXPECT_EQ(grown(calls, {{"method", unary}, {"code", "NOT_FOUND"}}), 1);
    EXPECT_EQ(grown(calls, {{"method", stream}, {"code", "OK"}}), 1);
    EXPECT_EQ(grown(calls), 3) << "each once";
    EXPECT_EQ(grown("ollama_proxy_grpc_call_duration_seconds_count", {{"method", unary}}), 2);
    EXPECT_EQ(grown("ollama_proxy_refusals_total", {{"reason", "model_not_found"}}), 1);
    EXPECT_EQ(grown("ollama_proxy_refusals_total"), 1);
    EXPECT_THAT(page_of(client.daemon()).problems, testing::IsEmpty());
}

}  // namespace
}  // namespace ollama_proxy::grpc_tests
