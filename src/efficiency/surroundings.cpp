#include "ollama_proxy/efficiency/state.hpp"

namespace ollama_proxy::efficiency {
namespace {

Heat heat_of(std::optional<monitors::ThermalState> state) {
    if (!state) return Heat::unknown;
    switch (*state) {
        case monitors::ThermalState::normal:
            return Heat::normal;
        case monitors::ThermalState::elevated:
            return Heat::warm;
        case monitors::ThermalState::high:
            return Heat::high;
        case monitors::ThermalState::critical:
            break;
    }
    return Heat::critical;
}

}  // namespace

Surroundings surroundings_of(const monitors::SystemSnapshot& snapshot) {
    Surroundings around;
    around.heat = heat_of(snapshot.thermal.state);
    around.hottest_c = snapshot.thermal.hottest_c;
    around.cpu_c = snapshot.cpu_temperature_c;
    around.on_battery = snapshot.power.on_battery;
    if (snapshot.power.battery) {
        around.battery_percent = snapshot.power.battery->level;
    } else if (snapshot.taken_at != TimePoint{} && !around.on_battery) {
        around.on_battery = false;
    }
    around.profile = parse_power_profile(snapshot.external.power_profile.value_or(""));
    return around;
}

}  // namespace ollama_proxy::efficiency
