// The efficiency mode by HTTP and by command: what is shown, what a change does to routing, who
// may change it, and what is left of it after a restart.

#include "front_end.hpp"
#include "support/places.hpp"

#include <array>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

using nlohmann::json;

class EfficiencyMode : public testing::Test {
  protected:
    EfficiencyMode() { start(); }

    void start(std::string_view more = {}) {
        const std::string npu = support::backend_yaml(
            "npu", npu_.port(), "hardware: npu\ncharacteristics: {power_watts: 3}\n");
        const std::string nvidia = support::backend_yaml(
            "nvidia", nvidia_.port(), "hardware: nvidia\ncharacteristics: {power_watts: 55}\n");
        daemon_.emplace(support::config_yaml(
            {npu, nvidia}, "router: {auto_optimize: false}\n" + std::string(more)));
        wait_until_known(*daemon_, "npu");
        wait_until_known(*daemon_, "nvidia");
    }
    [[nodiscard]] json get(std::string_view path) const {
        const HttpReply reply = support::http_get(daemon_->port(), path);
        EXPECT_EQ(reply.status, 200) << reply.body;
        return json::parse(reply.body);
    }
    [[nodiscard]] HttpReply set(std::string_view body) const {
        return support::http_post(daemon_->port(), "/efficiency", body);
    }
    [[nodiscard]] HttpReply ask() const {
        return support::http_post(daemon_->port(), kChat, kChatBody);
    }

    ScriptedBackend npu_{ScriptedBackend::answering_json("{}")};
    ScriptedBackend nvidia_{ScriptedBackend::answering_json("{}")};
    std::optional<TestDaemon> daemon_;
};

TEST_F(EfficiencyMode, IsShownWithWhatItMeansNow) {
    const json state = get("/efficiency");
    EXPECT_EQ(state["mode"], "Balanced");
    EXPECT_EQ(state["effective_mode"], "Balanced");
    EXPECT_EQ(state["reason"], "user");
    EXPECT_EQ(state["available_modes"].size(), 6U);
    EXPECT_EQ(state["power_budget_watts"], 20);
    EXPECT_EQ(state["active_backends"], json({"npu"}));
    EXPECT_EQ(state["system_state"].size(), 4U);
}

TEST_F(EfficiencyMode, ThatIsSetDecidesTheNextRequest) {
    ASSERT_EQ(set(R"({"mode":"Performance"})").status, 200);
    HttpReply answer = ask();
    EXPECT_EQ(answer.header("X-Backend-Used"), "nvidia");
    EXPECT_EQ(answer.header("X-Efficiency-Mode"), "Performance");
    const HttpReply changed = set(R"({"mode":"ultra efficiency"})");
    EXPECT_EQ(json::parse(changed.body)["mode"], "UltraEfficiency");
    EXPECT_EQ(json::parse(changed.body)["effective_mode"], "UltraEfficiency");
    answer = ask();
    EXPECT_EQ(answer.header("X-Backend-Used"), "npu");
    EXPECT_EQ(answer.header("X-Efficiency-Mode"), "UltraEfficiency");
    EXPECT_EQ(get("/health")["mode"], "UltraEfficiency");
}

TEST_F(EfficiencyMode, OfAMachineOfWhichNothingIsKnownIsBalancedInAuto) {
    ASSERT_EQ(set(R"({"mode":"auto"})").status, 200);
    const json state = get("/efficiency");
    EXPECT_EQ(state["mode"], "Auto");
    EXPECT_EQ(state["effective_mode"], "Balanced");
    EXPECT_EQ(state["reason"], "power-unknown");
    EXPECT_EQ(ask().header("X-Efficiency-Mode"), "Balanced");
}

TEST_F(EfficiencyMode, KeepsItsHistory) {
    EXPECT_EQ(get("/efficiency/history")["history"], json::array());
    (void)set(R"({"mode":"Quiet"})");
    (void)set(R"({"mode":"Performance"})");
    const json history = get("/efficiency/history")["history"];
    ASSERT_EQ(history.size(), 2U);
    EXPECT_EQ(history[1]["from"], "Quiet");
    EXPECT_EQ(history[1]["to"], "Performance");
    EXPECT_EQ(history[1]["reason"], "user");
}

TEST_F(EfficiencyMode, RefusesWhatIsNoMode) {
    for (const char* body : {R"({"mode":"Turbo"})", R"({"mode":7})", "{}", "Quiet", ""}) {
        const HttpReply reply = set(body);
        EXPECT_EQ(reply.status, 400) << body;
        EXPECT_EQ(json::parse(reply.body)["error"]["code"], "invalid_request") << body;
    }
    const HttpReply unknown = set(R"({"mode":"Turbo"})");
    EXPECT_NE(unknown.body.find("UltraEfficiency"), std::string::npos) << unknown.body;
    EXPECT_EQ(json::parse(unknown.body)["error"]["param"], "mode");
    EXPECT_EQ(get("/efficiency")["mode"], "Balanced");
}

TEST_F(EfficiencyMode, TellsWhichVerbsThereAre) {
    RawClient client(daemon_->port());
    EXPECT_EQ(client.request("DELETE", "/efficiency").header("Allow"), "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(client.request("HEAD", "/efficiency").status, 200);
    EXPECT_EQ(client.request("POST", "/efficiency/history", "{}").status, 405);
}

/// What a command printed, and its exit status.
std::pair<std::string, int> run(const std::string& arguments) {
    const std::string line = std::string(support::daemon_path()) + " " + arguments + " 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    std::string out;
    std::array<char, 1024> some{};
    while (const std::size_t n = std::fread(some.data(), 1, some.size(), pipe)) {
        out.append(some.data(), n);
    }
    const int status = ::pclose(pipe);
    return {out, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

TEST_F(EfficiencyMode, IsShownAndSetByTheCommandLine) {
    const std::string url = " --url " + daemon_->url();
    const auto [shown, status] = run("mode" + url);
    EXPECT_EQ(status, 0) << shown;
    EXPECT_TRUE(shown.starts_with("Balanced (user)\n")) << shown;
    const auto [changed, changed_status] = run("mode ultra-efficiency" + url);
    EXPECT_EQ(changed_status, 0) << changed;
    EXPECT_TRUE(changed.starts_with("UltraEfficiency (user)\n")) << changed;
    EXPECT_EQ(get("/efficiency")["mode"], "UltraEfficiency");
    EXPECT_EQ(run("mode Turbo" + url).second, 2);
}

TEST_F(EfficiencyMode, ChangesManyTimesAtOnceWithoutHarm) {
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([this, i] {
            RawClient client(daemon_->port());
            for (int n = 0; n < 50; ++n) {
                const bool even = (i + n) % 2 == 0;
                const auto reply = client.post(
                    "/efficiency", even ? R"({"mode":"Quiet"})" : R"({"mode":"Performance"})");
                EXPECT_EQ(reply.status, 200);
                EXPECT_EQ(client.get("/efficiency").status, 200);
            }
        });
    }
    for (auto& client : clients) client.join();
    EXPECT_LE(get("/efficiency/history")["history"].size(), 200U);
}

}  // namespace
}  // namespace ollama_proxy::front_end
