#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What is known of the machine, as plain values. Absent = not known, never 0: what reads it takes
/// the unknown as neutral.
namespace ollama_proxy::monitors {

enum class SensorState : std::uint8_t {
    ok,       ///< read with this snapshot
    asleep,   ///< its device is suspended and was not touched
    stale,    ///< could not be read this time; the value is an earlier one
    missing,  ///< it cannot be read, or is gone
};
[[nodiscard]] std::string_view to_string(SensorState state);

enum class SensorKind : std::uint8_t {
    temperature,  ///< degrees Celsius
    fan,          ///< revolutions per minute
    power,        ///< watts
};
[[nodiscard]] std::string_view to_string(SensorKind kind);

struct Sensor {
    std::string name;  ///< driver and label, "coretemp Package id 0"
    SensorKind kind = SensorKind::temperature;
    std::optional<double> value;
    SensorState state = SensorState::missing;
    TimePoint read_at{};  ///< when `value` was read
};

/// Heat and draw of one backend's device.
struct DeviceReading {
    std::string backend_id;
    std::optional<double> temperature_c;
    std::optional<double> limit_c;  ///< where it starts to slow down
    std::optional<double> fan_percent;
    /// Over its limit or slowing itself down, until it was under recovery for 10 s.
    bool throttled = false;
    std::optional<double> watts;
    SensorState state = SensorState::missing;  ///< of the temperature
    std::string device;                        ///< PCI address or sensor, for people; may be empty
};

/// All batteries of the machine added up; those of mice and headsets do not count.
struct Battery {
    std::optional<double> level;         ///< percent, 0..100
    std::optional<double> minutes_left;  ///< until empty; only while discharging
    std::optional<double> watts;         ///< drawn; only while discharging
};

struct PowerSupply {
    std::optional<bool> ac;          ///< an adapter is connected
    std::optional<Battery> battery;  ///< absent: there is none
    /// Runs on a battery. Absent where the machine has neither battery nor adapter to ask.
    std::optional<bool> on_battery;
};

/// By the limits of the configuration, or of the sensors where they know their own.
enum class ThermalState : std::uint8_t {
    normal,
    elevated,  ///< warm, or warming up quickly
    high,      ///< Auto becomes Quiet
    critical,  ///< UltraEfficiency whatever the mode; also a fan that stands still in the heat
};
[[nodiscard]] std::string_view to_string(ThermalState state);

enum class ThermalEventKind : std::uint8_t { elevated, high, critical, fan_stopped, recovery };
[[nodiscard]] std::string_view to_string(ThermalEventKind kind);

/// A change of the thermal state.
struct ThermalEvent {
    ThermalEventKind kind = ThermalEventKind::recovery;
    std::optional<double> cpu_c;
    std::optional<double> gpu_c;
    std::chrono::system_clock::time_point at{};
};

struct ThermalFacts {
    /// A state once entered is left only for a higher one, or for normal under the recovery
    /// temperature. Absent: no temperature is known.
    std::optional<ThermalState> state;
    std::optional<double> hottest_c;  ///< hotter of CPU and GPU
    bool fan_stopped = false;         ///< critical because a fan stands still in the heat
    std::optional<ThermalEvent> last_event;
    std::uint64_t events = 0;  ///< how many there were: tells a new last_event from an old one
};

enum class PowerSource : std::uint8_t {
    rapl,     ///< difference of an energy counter of the processor
    hwmon,    ///< power or energy file of a device's driver
    nvml,     ///< NVIDIA's library
    battery,  ///< what the whole machine draws while it discharges
};
[[nodiscard]] std::string_view to_string(PowerSource source);

struct PowerReading {
    std::string name;  ///< "package-0", "amdgpu 0000:03:00.0"
    double watts = 0;
    PowerSource source = PowerSource::rapl;
};

/// What others than the kernel's files say of the machine; fed by the bus.
struct ExternalFacts {
    std::optional<std::string> power_profile;  ///< "power-saver", "balanced", "performance"
    bool sleeping = false;                     ///< the machine is about to suspend, or still is

    friend bool operator==(const ExternalFacts&, const ExternalFacts&) = default;
};

/// One reading of the machine, immutable once published.
struct SystemSnapshot {
    std::optional<double> cpu_temperature_c;
    std::optional<double> gpu_temperature_c;  ///< the hottest one that is awake
    std::optional<double> fan_rpm;            ///< the fastest
    std::optional<double> fan_percent;
    std::vector<Sensor> sensors;
    PowerSupply power;
    std::optional<bool> cpu_throttled;   ///< it slowed itself down since the reading before
    std::vector<DeviceReading> devices;  ///< one per backend, in the configuration's order
    std::vector<PowerReading> draws;
    ThermalFacts thermal;
    ExternalFacts external;
    TimePoint taken_at{};
    std::chrono::system_clock::time_point wall_time{};

    [[nodiscard]] const DeviceReading* find(std::string_view backend_id) const {
        for (const auto& device : devices) {
            if (device.backend_id == backend_id) return &device;
        }
        return nullptr;
    }
};

}  // namespace ollama_proxy::monitors
