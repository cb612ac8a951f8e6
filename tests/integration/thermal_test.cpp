// The machine's sensors and what they do to routing: a whole daemon over a tree of files that the
// test edits while requests run.

#include "front_end.hpp"
#include "support/machine_tree.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

namespace ollama_proxy::front_end {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kAnswer =
    R"({"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"x"}}],)"
    R"("usage":{"prompt_tokens":1,"completion_tokens":5,"total_tokens":6}})";

class Sensors : public testing::Test {
  protected:
    void start(const test::MachineTree& tree, const std::string& mode = "Performance") {
        tree.write_to(sysfs_.path());
        const std::string amd = support::backend_yaml(
            "amd", amd_.port(), "hardware: amd\ncharacteristics: {power_watts: 45}\n");
        const std::string cpu = support::backend_yaml(
            "cpu", cpu_.port(), "hardware: cpu\ncharacteristics: {power_watts: 28}\n");
        daemon_.emplace(support::config_yaml(
            {amd, cpu},
            "router: {auto_optimize: false}\n"
            "thermal: {high: 85}\n"
            "efficiency: {default_mode: " +
                mode +
                "}\n"
                "monitors: {sysfs_root: \"" +
                sysfs_.path().string() + "\", proc_root: \"" + sysfs_.path().string() +
                "/proc\", interval_ms: 100, idle_interval_ms: 100}\n"));
        wait_until_known(*daemon_, "amd");
        wait_until_known(*daemon_, "cpu");
    }
    /// Replaces a file's text at once, as the kernel does.
    void set(const std::string& path, const std::string& text) const {
        std::ofstream(sysfs_.path() / "fresh") << text << "\n";
        std::filesystem::rename(sysfs_.path() / "fresh", sysfs_.path() / path);
    }
    [[nodiscard]] json get(std::string_view path) const {
        const HttpReply reply = support::http_get(daemon_->port(), path);
        EXPECT_EQ(reply.status, 200) << reply.body;
        return json::parse(reply.body);
    }
    template <class Predicate>
    [[nodiscard]] bool thermal_becomes(Predicate fits) const {
        return support::eventually([&] { return fits(get("/thermal")); });
    }
    [[nodiscard]] HttpReply ask() const {
        return support::http_post(daemon_->port(), kChat, kChatBody);
    }

    support::TempDir sysfs_;
    ScriptedBackend amd_{ScriptedBackend::answering_json(kAnswer)};
    ScriptedBackend cpu_{ScriptedBackend::answering_json(kAnswer)};
    std::optional<TestDaemon> daemon_;
};

const std::string kGpuHeat = "class/hwmon/hwmon0/temp1_input";

TEST_F(Sensors, AGpuThatHeatsTo88IsAvoidedUntilItHasCooled) {
    start(test::desktop());
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["gpu_temperature_c"] == 66; }));
    HttpReply reply = ask();
    EXPECT_EQ(reply.header("X-Backend-Used"), "amd");
    EXPECT_EQ(reply.header("X-Routing-Reason"), "performance");

    set(kGpuHeat, "88000");
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["thermal_state"] == "high"; }));
    const json hot = get("/thermal");
    EXPECT_EQ(hot["throttled_backends"], json({"amd"}));
    EXPECT_EQ(hot["last_thermal_event"]["kind"], "high");
    EXPECT_EQ(hot["last_thermal_event"]["gpu_temperature_c"], 88);
    EXPECT_EQ(daemon_->backend("amd")->at("temperature_c"), 88);
    EXPECT_EQ(daemon_->backend("amd")->at("throttled"), true);
    reply = ask();
    EXPECT_EQ(reply.header("X-Backend-Used"), "cpu");
    EXPECT_EQ(reply.header("X-Routing-Reason"), "thermal");

    set(kGpuHeat, "60000");
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["thermal_state"] == "normal"; }));
    EXPECT_EQ(get("/thermal")["last_thermal_event"]["kind"], "recovery");
    EXPECT_EQ(daemon_->backend("amd")->at("throttled"), true);  // not before 10 s under recovery
    const TimePoint cooled = Clock::now();
    while (daemon_->backend("amd")->at("throttled") == true && Clock::now() < cooled + 30s) {
        std::this_thread::yield();
    }
    EXPECT_GE(Clock::now() - cooled, 9s);
    EXPECT_EQ(ask().header("X-Backend-Used"), "amd");
}

TEST_F(Sensors, HighHeatMakesAutoQuietAndCriticalHeatBeatsEveryMode) {
    start(test::desktop(), "Auto");
    ASSERT_TRUE(
        support::eventually([&] { return get("/efficiency")["effective_mode"] == "Performance"; }));
    set(kGpuHeat, "88000");
    ASSERT_TRUE(
        support::eventually([&] { return get("/efficiency")["effective_mode"] == "Quiet"; }));
    EXPECT_EQ(ask().header("X-Efficiency-Mode"), "Quiet");
    set(kGpuHeat, "91000");
    ASSERT_TRUE(support::eventually(
        [&] { return get("/efficiency")["effective_mode"] == "UltraEfficiency"; }));
    set(kGpuHeat, "60000");
    ASSERT_TRUE(
        support::eventually([&] { return get("/efficiency")["effective_mode"] == "Performance"; }));
}

TEST_F(Sensors, AFanThatStopsInTheHeatIsAnEventOfItsOwn) {
    start(test::desktop());
    set("class/hwmon/hwmon0/fan1_input", "0");
    set(kGpuHeat, "86000");
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["thermal_state"] == "critical"; }));
    EXPECT_EQ(get("/thermal")["last_thermal_event"]["kind"], "fan-stopped");
}

TEST_F(Sensors, ASensorThatBreaksIsUnknownAndNeverCool) {
    start(test::desktop());
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["gpu_temperature_c"] == 66; }));
    set(kGpuHeat, "9999999");
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["gpu_temperature_c"].is_null(); }));
    EXPECT_TRUE(daemon_->backend("amd")->at("temperature_c").is_null());
    EXPECT_EQ(ask().header("X-Backend-Used"), "amd");
    set(kGpuHeat, "67000");
    EXPECT_TRUE(thermal_becomes([](const json& t) { return t["gpu_temperature_c"] == 67; }));
}

TEST_F(Sensors, UnpluggingIsSeen) {
    start(test::amd_laptop(), "Auto");
    const auto supply = [&] { return get("/efficiency")["system_state"]; };
    ASSERT_TRUE(support::eventually([&] { return supply()["on_battery"] == false; }));
    EXPECT_EQ(supply()["battery_level"], 40);
    set("class/power_supply/ACAD/online", "0");
    EXPECT_TRUE(support::eventually([&] { return supply()["on_battery"] == true; }));
    EXPECT_TRUE(
        support::eventually([&] { return get("/efficiency")["effective_mode"] == "Efficiency"; }));
}

TEST_F(Sensors, WhatTheMachineDrawsIsAMetric) {
    start(test::intel_laptop());
    const auto metric = [&](const std::string& sample) {
        const std::string text = support::http_get(daemon_->port(), "/metrics").body;
        const auto at = text.find("ollama_proxy_power_watts{" + sample + "} ");
        return at == text.npos ? std::nullopt
                               : std::optional(std::stod(text.substr(text.find(' ', at))));
    };
    ASSERT_TRUE(
        support::eventually([&] { return metric(R"(part="battery",source="battery")") == 12; }));
    // a counter that stands still draws nothing; two readings tell it
    EXPECT_TRUE(
        support::eventually([&] { return metric(R"(part="package-0",source="rapl")") == 0; }));
    set("class/power_supply/AC/online", "1");  // plugged in, the battery draws nothing
    EXPECT_TRUE(support::eventually([&] { return !metric(R"(part="battery",source="battery")"); }));
}

TEST_F(Sensors, WithoutAnyEverythingIsNull) {
    start(test::virtual_machine());
    const json state = get("/thermal");
    for (const char* key : {"cpu_temperature_c", "gpu_temperature_c", "fan_speed_rpm",
                            "thermal_state", "last_thermal_event"}) {
        EXPECT_TRUE(state.at(key).is_null()) << key;
    }
    EXPECT_EQ(state.at("sensors"), json::array());
    EXPECT_EQ(state.at("throttled_backends"), json::array());
}

TEST_F(Sensors, TheEnergyOfARequestIsToldWithItsSource) {
    start(test::desktop());
    ASSERT_TRUE(thermal_becomes([](const json& t) { return t["gpu_temperature_c"] == 66; }));
    const HttpReply reply = ask();
    ASSERT_EQ(reply.header("X-Backend-Used"), "amd");
    ASSERT_TRUE(reply.has_header("X-Energy-Joules"));
    EXPECT_GE(std::stod(reply.header("X-Energy-Joules")), 0);
    EXPECT_TRUE(daemon_->backend("amd")->at("joules_per_token").is_number());
    const std::string source = daemon_->backend("amd")->at("energy_source");
    EXPECT_TRUE(source == "hwmon-power" || source == "configured") << source;
    EXPECT_TRUE(daemon_->backend("cpu")->at("energy_source").is_null());
    const std::string metrics = support::http_get(daemon_->port(), "/metrics").body;
    EXPECT_NE(metrics.find("ollama_proxy_energy_joules_total{backend=\"amd\",source=\"" + source),
              std::string::npos);
    EXPECT_NE(metrics.find("ollama_proxy_sensor_value{sensor=\"zenpower"), std::string::npos);
}

}  // namespace
}  // namespace ollama_proxy::front_end
