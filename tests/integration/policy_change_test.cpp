// The battery or heat turns critical while a stream runs, or its device goes: a whole daemon over a
// tree of files that the test edits meanwhile.

#include "machine_folder.hpp"
#include "relay_support.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <optional>

namespace ollama_proxy::support {
namespace {

using nlohmann::json;

struct Turn {
    std::string name;
    std::function<void(const MachineFolder&)> happens;
    std::string reason;
};
void PrintTo(const Turn& turn, std::ostream* out) { *out << turn.name; }

class PolicyChange : public testing::TestWithParam<Turn> {
  protected:
    void SetUp() override {
        for (const char* battery : {"BAT0", "BAT1"}) {
            tree_.set("class/power_supply/" + std::string(battery) + "/capacity", "95");
        }
        daemon_.emplace(config_yaml(
            {backend_yaml("amd", amd_.port(),
                          "hardware: amd\nmax_concurrency: 8\ncharacteristics: {power_watts: 45}"),
             backend_yaml("npu", npu_.port(),
                          "hardware: npu\nmax_concurrency: 8\ncharacteristics: {power_watts: 3}")},
            kQuiet + "router: {auto_optimize: false}\nthermal: {high: 85}\n" +
                "efficiency: {default_mode: Auto}\n" +
                tree_.settings("interval_ms: 100, idle_interval_ms: 100")));
        for (const char* id : {"amd", "npu"}) wait_until_known(*daemon_, id);
        ASSERT_TRUE(becomes("Performance", "ac-connected"));
    }
    [[nodiscard]] bool becomes(const std::string& mode, const std::string& reason) const {
        return eventually([&] {
            const json now = json::parse(http_get(daemon_->port(), "/efficiency").body);
            return now["effective_mode"] == mode && now["reason"] == reason;
        });
    }

    const MachineFolder tree_{test::amd_laptop()};
    std::promise<void> go_on_;
    ScriptedBackend amd_{ScriptedBackend::answering(
        [go_on = go_on_.get_future().share()](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked();
            peer.chunk(delta("before"));
            if (go_on.wait_for(std::chrono::minutes(1)) != std::future_status::ready) return;
            for (const std::string& piece : {delta("after"), kFinish, kDone}) peer.chunk(piece);
            peer.end_chunked();
        })};
    ScriptedBackend npu_{good_backend()};
    std::optional<TestDaemon> daemon_;
};

TEST_P(PolicyChange, LeavesTheRunningStreamAloneAndReroutesNewWork) {
    RawClient client(daemon_->port());
    ASSERT_TRUE(client.send_request("POST", kChat, chat_body(true)));
    HttpReply stream = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(stream, "before"));
    EXPECT_EQ(stream.header("X-Backend-Used"), "amd");
    EXPECT_EQ(stream.header("X-Efficiency-Mode"), "Performance");
    EXPECT_FALSE(stream.has_header("X-Energy-Joules"));  // not known yet

    GetParam().happens(tree_);
    ASSERT_TRUE(becomes("UltraEfficiency", GetParam().reason));
    const HttpReply other = http_post(daemon_->port(), kChat, chat_body());
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(other.header("X-Backend-Used"), "npu");
    EXPECT_EQ(other.header("X-Efficiency-Mode"), "UltraEfficiency");

    go_on_.set_value();
    while (client.read_piece(stream)) {
    }
    EXPECT_TRUE(stream.clean_end);
    EXPECT_EQ(stream.body, delta("before") + delta("after") + kFinish + kDone);
    EXPECT_EQ(amd_.request_count(), 1U);
    EXPECT_EQ(daemon_->backend("amd")->at("failures"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Critical, PolicyChange,
    testing::Values(Turn{"Battery",
                         [](const MachineFolder& tree) {
                             tree.set("class/power_supply/BAT0/capacity", "12");
                             tree.set("class/power_supply/BAT1/capacity", "12");
                             tree.set("class/power_supply/ACAD/online", "0");
                         },
                         "battery-12"},
                    Turn{"Heat",
                         [](const MachineFolder& tree) {
                             tree.set("class/hwmon/hwmon6/temp1_input", "95000");
                         },
                         "thermal-critical-95"}),
    [](const auto& one) { return one.param.name; });

TEST(Unplugged, ADeviceThatGoesMidStreamCutsItInTheOpenIsUnknownAndOthersServe) {
    const MachineFolder tree(test::amd_laptop());
    std::promise<void> unplug;
    const ScriptedBackend amd(ScriptedBackend::answering(
        [gone = unplug.get_future().share()](Peer& peer, const RecordedRequest&) {
            if (gone.wait_for(Milliseconds(0)) != std::future_status::ready) {
                peer.begin_chunked();
                peer.chunk(delta("before"));
                (void)gone.wait_for(std::chrono::minutes(1));
            }
            peer.reset();
        }));
    const ScriptedBackend npu(good_backend());
    const TestDaemon daemon(config_yaml(
        {backend_yaml("amd", amd.port(), "hardware: amd\ncharacteristics: {power_watts: 45}"),
         backend_yaml("npu", npu.port(), "hardware: npu\ncharacteristics: {power_watts: 3}")},
        kQuiet + "efficiency: {default_mode: Performance}\nrouter: {auto_optimize: false}\n" +
            tree.settings("interval_ms: 100, idle_interval_ms: 100")));
    for (const char* id : {"amd", "npu"}) wait_until_known(daemon, id);
    ASSERT_TRUE(eventually([&] { return daemon.backend("amd")->at("temperature_c") == 57; }));
    RawClient client(daemon.port());
    ASSERT_TRUE(client.send_request("POST", kChat, chat_body(true)));
    HttpReply stream = client.begin_reply("POST");
    ASSERT_TRUE(client.read_until(stream, "before"));
    ASSERT_EQ(stream.header("X-Backend-Used"), "amd");

    for (const char* part :
         {"class/drm/card0", "class/hwmon/hwmon6", "bus/pci", "devices/pci0000:00/0000:00:01.1"}) {
        std::filesystem::remove_all(tree.path() / part);
    }
    unplug.set_value();
    while (client.read_piece(stream)) {
    }
    EXPECT_FALSE(stream.clean_end);
    EXPECT_NE(stream.body.find("data: {\"error\":"), std::string::npos) << stream.body;
    EXPECT_EQ(stream.body.find("[DONE]"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return daemon.backend("amd")->at("temperature_c").is_null(); }));
    const HttpReply other = http_post(daemon.port(), kChat, chat_body());
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(other.header("X-Backend-Used"), "npu");
}

TEST(FanLimit, OfQuietCountsAsTheFanTurnsNow) {
    const MachineFolder tree(test::intel_laptop());  // its one fan cools everything
    const ScriptedBackend igpu(good_backend());
    const TestDaemon daemon(config_yaml(
        {backend_yaml("igpu", igpu.port(), "hardware: igpu\ncharacteristics: {power_watts: 12}")},
        kQuiet + "efficiency: {default_mode: Quiet}\n" +
            tree.settings("interval_ms: 100, idle_interval_ms: 100")));
    wait_until_known(daemon, "igpu");
    const auto reason_becomes = [&](const std::string& reason) {
        return eventually([&] {
            return http_post(daemon.port(), kChat, chat_body()).header("X-Routing-Reason") ==
                   reason;
        });
    };
    EXPECT_TRUE(reason_becomes("quiet"));  // 40 %
    tree.set("class/hwmon/hwmon5/pwm1", "105");
    EXPECT_TRUE(reason_becomes("mode-relaxed"));  // nobody keeps to the limit now
    tree.set("class/hwmon/hwmon5/pwm1", "90");
    EXPECT_TRUE(reason_becomes("quiet"));
}

}  // namespace
}  // namespace ollama_proxy::support
