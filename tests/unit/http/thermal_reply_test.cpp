#include "http/thermal_reply.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::http {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr TimePoint kNow{1000s};

json told(const monitors::SystemSnapshot& machine) {
    return json::parse(thermal_reply(machine, kNow).body);
}

TEST(ThermalReply, OfAMachineWithoutSensorsEverythingIsNull) {
    EXPECT_EQ(told({}), json::parse(R"({"cpu_temperature_c":null,"gpu_temperature_c":null,
        "fan_speed_rpm":null,"thermal_state":null,"throttled_backends":[],
        "last_thermal_event":null,"sensors":[]})"));
}

TEST(ThermalReply, ShowsWhatIsKnown) {
    monitors::SystemSnapshot machine;
    machine.cpu_temperature_c = 61.5;
    machine.gpu_temperature_c = 88;
    machine.fan_rpm = 2400;
    machine.thermal.state = monitors::ThermalState::high;
    machine.thermal.last_event = monitors::ThermalEvent{
        monitors::ThermalEventKind::high, 61.5, {}, std::chrono::system_clock::time_point(60s)};
    machine.devices.resize(2);
    machine.devices[0].backend_id = "a";
    machine.devices[1].backend_id = "b";
    machine.devices[1].throttled = true;
    EXPECT_EQ(told(machine), json::parse(R"({"cpu_temperature_c":61.5,"gpu_temperature_c":88.0,
        "fan_speed_rpm":2400.0,"thermal_state":"high","throttled_backends":["b"],
        "last_thermal_event":{"kind":"high","time":"1970-01-01T00:01:00Z",
            "cpu_temperature_c":61.5,"gpu_temperature_c":null},"sensors":[]})"));
}

TEST(ThermalReply, ASensorThatSleepsIsNullAndAStaleOneTellsItsAge) {
    monitors::SystemSnapshot machine;
    machine.sensors.push_back({"nvidia 0000:01:00.0",
                               monitors::SensorKind::temperature,
                               {},
                               monitors::SensorState::asleep,
                               {}});
    machine.sensors.push_back({"coretemp Package id 0", monitors::SensorKind::temperature, 52,
                               monitors::SensorState::stale, kNow - 7s});
    machine.sensors.push_back(
        {"thinkpad fan1", monitors::SensorKind::fan, {}, monitors::SensorState::missing, {}});
    EXPECT_EQ(told(machine)["sensors"], json::parse(R"([
        {"name":"nvidia 0000:01:00.0","kind":"temperature","value":null,"state":"asleep",
         "age_ms":null},
        {"name":"coretemp Package id 0","kind":"temperature","value":52.0,"state":"stale",
         "age_ms":7000},
        {"name":"thinkpad fan1","kind":"fan","value":null,"state":"missing","age_ms":null}])"));
}

}  // namespace
}  // namespace ollama_proxy::http
