// The battery or heat turns critical while a stream runs, and what a request's energy is: a whole
// daemon over a tree of files that the test edits meanwhile.

#include "relay_support.hpp"
#include "support/machine_tree.hpp"
#include "support/opened_below.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <future>
#include <optional>

namespace ollama_proxy::support {
namespace {

using nlohmann::json;

/// A machine in a folder.
class Tree {
  public:
    explicit Tree(const test::MachineTree& tree) { tree.write_to(folder_.path()); }
    /// Replaces a file's text at once, as the kernel does.
    void set(const std::string& path, const std::string& text) const {
        std::ofstream(folder_.path() / "fresh") << text << "\n";
        std::filesystem::rename(folder_.path() / "fresh", folder_.path() / path);
    }
    [[nodiscard]] std::filesystem::path path() const { return folder_.path(); }
    [[nodiscard]] std::string settings(const std::string& intervals) const {
        return "monitors: {sysfs_root: \"" + path().string() + "\", " + intervals + "}\n";
    }

  private:
    TempDir folder_;
};

struct Turn {
    std::string name;
    std::function<void(const Tree&)> happens;
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

    const Tree tree_{test::amd_laptop()};
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
    testing::Values(
        Turn{"Battery",
             [](const Tree& tree) {
                 tree.set("class/power_supply/BAT0/capacity", "12");
                 tree.set("class/power_supply/BAT1/capacity", "12");
                 tree.set("class/power_supply/ACAD/online", "0");
             },
             "battery-12"},
        Turn{"Heat", [](const Tree& tree) { tree.set("class/hwmon/hwmon6/temp1_input", "95000"); },
             "thermal-critical-95"}),
    [](const auto& one) { return one.param.name; });

/// A processor whose energy is counted, a server on it that answers when the test says so, and
/// nothing that reads the machine by itself but for the energy of what runs.
class CountedEnergy : public testing::Test {
  protected:
    CountedEnergy() {
        daemon_.emplace(config_yaml(
            {backend_yaml("cpu", backend_.port(),
                          "hardware: cpu\ncharacteristics: {power_watts: 0.001}")},
            kQuiet + tree_.settings("interval_ms: 3600000, idle_interval_ms: 3600000")));
        wait_until_known(*daemon_, "cpu");
    }
    void count(int joules) const { tree_.set(kCounter, std::to_string(joules) + "000000"); }
    /// The counter was read twice: what it says now is taken into account.
    [[nodiscard]] bool is_read() {
        return opened_.wait_for(tree_.path() / kCounter) &&
               opened_.wait_for(tree_.path() / kCounter);
    }

    static constexpr const char* kCounter = "class/powercap/intel-rapl:0/energy_uj";
    const Tree tree_{test::intel_laptop()};
    OpenedBelow opened_{tree_.path()};
    std::promise<void> answer_;
    ScriptedBackend backend_{ScriptedBackend::answering([answer = answer_.get_future().share()](
                                                            Peer& peer, const RecordedRequest&) {
        if (answer.wait_for(std::chrono::minutes(1)) != std::future_status::ready) return;
        peer.reply(200, R"({"choices":[{"finish_reason":"stop","message":{"content":"x"}}],)"
                        R"("usage":{"prompt_tokens":1,"completion_tokens":5,"total_tokens":6}})");
    })};
    std::optional<TestDaemon> daemon_;
};

TEST_F(CountedEnergy, IsChargedToTheRequestAndWhatWasDrawnBeforeAndAfterToNobody) {
    ASSERT_TRUE(opened_.wait_for(tree_.path() / kCounter));  // the first look at the machine
    count(5000);  // drawn by whatever, while no request runs
    auto asked = std::async(std::launch::async, [port = daemon_->port()] {
        return http_post(port, kChat, chat_body());
    });
    (void)backend_.wait_for_requests(1);
    ASSERT_TRUE(is_read());
    count(5050);
    ASSERT_TRUE(is_read());
    ASSERT_TRUE(is_read());  // it stands still: nothing is extrapolated
    answer_.set_value();
    const HttpReply reply = asked.get();
    ASSERT_EQ(reply.status, 200);
    EXPECT_NEAR(std::stod(reply.header("X-Energy-Joules")), 50, 0.1);
    count(9000);
    const auto shown = daemon_->backend("cpu");
    EXPECT_NEAR(shown->at("joules_per_token").get<double>(), 10, 0.1);
    EXPECT_EQ(shown->at("energy_source"), "rapl");
    const std::string metrics = http_get(daemon_->port(), "/metrics").body;
    const std::string sample = R"(ollama_proxy_energy_joules_total{backend="cpu",source="rapl"} )";
    const auto at = metrics.find(sample);
    ASSERT_NE(at, std::string::npos) << metrics;
    EXPECT_NEAR(std::stod(metrics.substr(at + sample.size())), 50, 0.1);
}

}  // namespace
}  // namespace ollama_proxy::support
