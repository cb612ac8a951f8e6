#include "ollama_proxy/monitors/system_snapshot.hpp"

namespace ollama_proxy::monitors {

std::string_view to_string(SensorState state) {
    switch (state) {
        case SensorState::ok:
            return "ok";
        case SensorState::asleep:
            return "asleep";
        case SensorState::stale:
            return "stale";
        case SensorState::missing:
            break;
    }
    return "missing";
}

std::string_view to_string(SensorKind kind) {
    switch (kind) {
        case SensorKind::temperature:
            return "temperature";
        case SensorKind::fan:
            return "fan";
        case SensorKind::power:
            break;
    }
    return "power";
}

std::string_view to_string(ThermalState state) {
    switch (state) {
        case ThermalState::normal:
            return "normal";
        case ThermalState::elevated:
            return "elevated";
        case ThermalState::high:
            return "high";
        case ThermalState::critical:
            break;
    }
    return "critical";
}

std::string_view to_string(ThermalEventKind kind) {
    switch (kind) {
        case ThermalEventKind::elevated:
            return "elevated";
        case ThermalEventKind::high:
            return "high";
        case ThermalEventKind::critical:
            return "critical";
        case ThermalEventKind::fan_stopped:
            return "fan-stopped";
        case ThermalEventKind::recovery:
            break;
    }
    return "recovery";
}

std::string_view to_string(PowerSource source) {
    switch (source) {
        case PowerSource::rapl:
            return "rapl";
        case PowerSource::hwmon:
            return "hwmon";
        case PowerSource::nvml:
            return "nvml";
        case PowerSource::battery:
            break;
    }
    return "battery";
}

}  // namespace ollama_proxy::monitors
