// What is decided between the configuration and the first line: backends found, and what is said.

#include "app/demo_machine.hpp"
#include "app/discovery.hpp"
#include "app/serve.hpp"
#include "support/raw_client.hpp"
#include "support/scripted_backend.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace ollama_proxy::app {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;
using support::ScriptedBackend;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr std::chrono::milliseconds kLimit{2000};

TEST(Discovery, KeepsOnlyThePortsThatAnswerAsOllamaDoes) {
    ScriptedBackend ollama(ScriptedBackend::answering_json("{}"));
    ScriptedBackend::Options scripted;
    scripted.answers_probes = false;
    ScriptedBackend web(ScriptedBackend::answering_json("[]"), scripted);
    const support::ReservedPort nobody;
    const std::uint16_t ports[] = {nobody.number(), web.port(), ollama.port()};

    const Discovery found = discover_local(ports, 0, kLimit);
    EXPECT_TRUE(found.found);
    ASSERT_EQ(found.backends.size(), 1U);
    const config::Backend& backend = found.backends[0];
    EXPECT_EQ(backend.id, "ollama-" + std::to_string(ollama.port()));
    EXPECT_EQ(backend.endpoint.text, "http://localhost:" + std::to_string(ollama.port()));
    EXPECT_EQ(backend.endpoint.port, ollama.port());
    EXPECT_EQ(backend.hardware, config::Hardware::unknown);
    EXPECT_THAT(backend.name, HasSubstr("hardware unknown"));
}

TEST(Discovery, WatchesEveryPortWhenNoneAnswersButNeverItsOwn) {
    const support::ReservedPort own;
    const support::ReservedPort nobody;
    const std::uint16_t ports[] = {own.number(), nobody.number()};
    const Discovery found = discover_local(ports, ports[0], kLimit);
    EXPECT_FALSE(found.found);
    ASSERT_EQ(found.backends.size(), 1U);
    EXPECT_EQ(found.backends[0].endpoint.port, ports[1]);
}

TEST(Discovery, AServerThatKeepsSilentCostsNoMoreThanTheLimit) {
    ScriptedBackend::Options scripted;
    scripted.answers_probes = false;
    ScriptedBackend silent([](support::Peer& peer) { peer.wait_closed(); }, scripted);
    const std::uint16_t ports[] = {silent.port()};
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(discover_local(ports, 0, std::chrono::milliseconds(100)).found);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(DemoMachine, IsFourServersThatSayThatTheyAreSimulated) {
    const DemoMachine machine;
    const auto backends = machine.backends();
    std::vector<std::string> ids;
    for (const config::Backend& backend : backends) {
        ids.push_back(backend.id);
        EXPECT_THAT(backend.name, HasSubstr("Simulated"));
        EXPECT_EQ(backend.max_concurrency, 4U);
        EXPECT_TRUE(backend.characteristics.power_known);
        EXPECT_EQ(support::http_get(backend.endpoint.port, "/api/version").status, 200);
    }
    EXPECT_EQ(ids, (std::vector<std::string>{"demo-npu", "demo-igpu", "demo-nvidia", "demo-cpu"}));
    EXPECT_EQ(backends[0].characteristics.power_watts, 3);
    EXPECT_EQ(backends[2].characteristics.avg_latency.count(), 150);
    EXPECT_EQ(backends[0].characteristics.priority, 3);
    EXPECT_EQ(backends[3].characteristics.priority, 0);
}

TEST(FirstLine, SaysVersionAddressesBackendsAndSource) {
    config::Config config;
    config.source = "/etc/x.yaml";
    config.backends.resize(3);
    config.backends[0].id = "a";
    config.backends[1].id = "off";
    config.backends[1].enabled = false;
    config.backends[2].id = "b";
    const std::vector<tcp::endpoint> endpoints{{make_address("127.0.0.1"), 8080},
                                               {make_address("::1"), 8081}};
    const std::string line = first_line(config, endpoints, {});
    EXPECT_THAT(line, ::testing::StartsWith(version_text()));
    EXPECT_THAT(line, EndsWith(" listening on http://127.0.0.1:8080, http://[::1]:8081, "
                               "2 backends (a, b), configuration: /etc/x.yaml"));
    config.backends.clear();
    EXPECT_THAT(first_line(config, endpoints, {}), HasSubstr(", no backends, "));
    EXPECT_THAT(first_line(config, endpoints, endpoints),
                HasSubstr("[::1]:8081, gRPC on 127.0.0.1:8080, [::1]:8081, no backends, "));
}

}  // namespace
}  // namespace ollama_proxy::app
