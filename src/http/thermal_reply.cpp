#include "http/thermal_reply.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <ctime>

namespace ollama_proxy::http {
using nlohmann::json;

namespace {

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

/// RFC 3339 in UTC.
std::string time_text(std::chrono::system_clock::time_point at) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text, size};
}

json event_json(const std::optional<monitors::ThermalEvent>& event) {
    if (!event) return nullptr;
    return {{"kind", to_string(event->kind)},
            {"time", time_text(event->at)},
            {"cpu_temperature_c", or_null(event->cpu_c)},
            {"gpu_temperature_c", or_null(event->gpu_c)}};
}

json sensor_json(const monitors::Sensor& sensor, TimePoint now) {
    json age = nullptr;
    if (sensor.value) age = std::llround(to_ms(now - sensor.read_at));
    return {{"name", sensor.name},
            {"kind", to_string(sensor.kind)},
            {"value", or_null(sensor.value)},
            {"state", to_string(sensor.state)},
            {"age_ms", std::move(age)}};
}

}  // namespace

Reply thermal_reply(const monitors::SystemSnapshot& machine, TimePoint now) {
    json throttled = json::array();
    for (const auto& device : machine.devices) {
        if (device.throttled) throttled.push_back(device.backend_id);
    }
    json sensors = json::array();
    for (const auto& sensor : machine.sensors) sensors.push_back(sensor_json(sensor, now));
    json state = nullptr;
    if (machine.thermal.state) state = to_string(*machine.thermal.state);
    const json body = {{"cpu_temperature_c", or_null(machine.cpu_temperature_c)},
                       {"gpu_temperature_c", or_null(machine.gpu_temperature_c)},
                       {"fan_speed_rpm", or_null(machine.fan_rpm)},
                       {"thermal_state", std::move(state)},
                       {"throttled_backends", std::move(throttled)},
                       {"last_thermal_event", event_json(machine.thermal.last_event)},
                       {"sensors", std::move(sensors)}};
    return json_reply(200, body.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace ollama_proxy::http
