#include "http/efficiency_replies.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace ollama_proxy::http {
namespace {

using config::Mode;
using nlohmann::json;

efficiency::State state_of(Mode effective) {
    efficiency::State state;
    state.mode = Mode::automatic;
    state.effective = effective;
    state.reason = "battery-42";
    state.policy =
        std::make_shared<const efficiency::Policy>(efficiency::builtin_policy(effective));
    return state;
}

router::BackendView backend(std::string id, std::string hardware, std::optional<double> watts) {
    router::BackendView out;
    out.id = std::move(id);
    out.hardware = std::move(hardware);
    out.power_watts = watts;
    out.healthy = true;
    return out;
}

TEST(EfficiencyReplies, ShowEveryFieldOfTheContract) {
    efficiency::State state = state_of(Mode::efficiency);
    state.surroundings.on_battery = true;
    state.surroundings.battery_percent = 41.6;
    state.surroundings.cpu_c = 51.5;
    state.surroundings.profile = efficiency::PowerProfile::power_saver;
    router::StatusView view;
    view.backends = {backend("npu", "npu", 3), backend("igpu", "igpu", 12),
                     backend("hungry", "igpu", 40), backend("nvidia", "nvidia", 55),
                     backend("down", "npu", 3)};
    view.backends[4].healthy = false;
    const json body = json::parse(efficiency_reply(state, view).body);
    EXPECT_EQ(body["mode"], "Auto");
    EXPECT_EQ(body["effective_mode"], "Efficiency");
    EXPECT_EQ(body["reason"], "battery-42");
    EXPECT_EQ(body["available_modes"],
              json({"Performance", "Balanced", "Efficiency", "Quiet", "Auto", "UltraEfficiency"}));
    EXPECT_EQ(body["power_budget_watts"], 15);
    EXPECT_EQ(body["active_backends"], json({"npu", "igpu"}));
    EXPECT_EQ(body["system_state"], (json{{"on_battery", true},
                                          {"battery_level", 42},
                                          {"cpu_temp_c", 51.5},
                                          {"power_profile", "power-saver"}}));
}

TEST(EfficiencyReplies, ShowTheUnknownAsNull) {
    const json body = json::parse(efficiency_reply(state_of(Mode::performance), {}).body);
    EXPECT_TRUE(body["power_budget_watts"].is_null());
    for (const auto& [name, value] : body["system_state"].items()) EXPECT_TRUE(value.is_null());
    EXPECT_EQ(body["system_state"].size(), 4U);
    EXPECT_EQ(body["active_backends"], json::array());
}

TEST(EfficiencyReplies, TellTheHistoryInOrder) {
    const std::vector<efficiency::Transition> history{
        {1700000000007, Mode::automatic, Mode::balanced, Mode::quiet, "thermal-high-87"},
        {1700000001000, Mode::performance, Mode::quiet, Mode::performance, "user"}};
    const json body = json::parse(efficiency_history_reply(history).body);
    ASSERT_EQ(body["history"].size(), 2U);
    EXPECT_EQ(body["history"][0], (json{{"time", "2023-11-14T22:13:20.007Z"},
                                        {"mode", "Auto"},
                                        {"from", "Balanced"},
                                        {"to", "Quiet"},
                                        {"reason", "thermal-high-87"}}));
    EXPECT_EQ(body["history"][1]["to"], "Performance");
}

TEST(EfficiencyReplies, ReadAModeHoweverItIsSpelled) {
    for (const char* name : {"ultra-efficiency", "UltraEfficiency", "Ultra Efficiency"}) {
        const auto change = read_efficiency_change(json{{"mode", name}}.dump());
        ASSERT_TRUE(change) << name;
        EXPECT_EQ(change->mode, Mode::ultra_efficiency) << name;
    }
}

TEST(EfficiencyReplies, RefuseWhatNamesNoMode) {
    for (const char* body :
         {"", "{", "[]", "\"Quiet\"", "{}", R"({"mode":7})", R"({"mode":null})"}) {
        const auto change = read_efficiency_change(body);
        ASSERT_FALSE(change) << body;
        EXPECT_EQ(change.error().code, Errc::invalid_request) << body;
    }
    const auto unknown = read_efficiency_change(R"({"mode":"Turbo"})");
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().message.find("UltraEfficiency"), std::string::npos);
    const auto large = read_efficiency_change(R"({"mode":")" + std::string(5000, 'x') + "\"}");
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, Errc::request_too_large);
}

}  // namespace
}  // namespace ollama_proxy::http
