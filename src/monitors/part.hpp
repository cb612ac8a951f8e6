#pragma once

#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// Nothing that is read draws more watts; what says so is a reading error.
inline constexpr double kMostWatts = 5'000;

/// An energy counter of the kernel as it stood.
struct CounterFacts {
    std::string path;  ///< to read it again
    double joules = 0;
    double wraps_at = 0;  ///< joules; 0 = never
};

struct TemperatureFacts {
    std::string label;              ///< "Package id 0", "edge", or "temp1"
    std::optional<double> celsius;  ///< absent: the file is there and tells nothing
    std::optional<double> crit;     ///< the sensor's own critical limit
};

struct FanFacts {
    std::string label;
    std::optional<double> rpm;
    std::optional<double> percent;
};

/// A part of the machine that has sensors, as it was found at one moment.
struct Part {
    enum class Kind {
        cpu,
        gpu,
        board,  ///< only its fans are looked at
        named,  ///< a backend names it in its `device`
    };
    Kind kind = Kind::board;
    std::string driver;  ///< "coretemp", "amdgpu"; a thermal zone's type
    std::string pci;     ///< "0000:03:00.0", empty where it is none
    std::string drm;     ///< "card1"
    std::string hwmon;   ///< "hwmon3"
    std::string zone;    ///< "thermal_zone0"
    /// Tells it from others of its driver that have no PCI address either: "coretemp.1". May be
    /// empty.
    std::string place;
    bool one_of_several = false;  ///< others have its driver: `name` says the place, too
    bool asleep = false;          ///< in runtime suspend: nothing below was looked at
    bool integrated = false;      ///< GPU beside the CPU
    std::vector<TemperatureFacts> temperatures;
    bool first_is_main = false;  ///< the first stands for the part; else the hottest does
    std::vector<FanFacts> fans;
    std::optional<double> watts;
    std::string watts_path;  ///< the file of `watts`, also when it tells nothing now
    std::optional<CounterFacts> energy;
    PowerSource power_source = PowerSource::hwmon;
    std::optional<bool> slows_down;  ///< it says so itself

    /// For people, and the same over reboots: "amdgpu 0000:03:00.0".
    [[nodiscard]] std::string name() const {
        if (!pci.empty()) return driver.empty() ? pci : driver + " " + pci;
        if (one_of_several) return place.starts_with(driver) ? place : driver + " " + place;
        return driver.empty() ? drm : driver;
    }
    /// What is remembered of it is found by this; no two parts of a reading share it.
    [[nodiscard]] std::string key() const {
        if (!pci.empty()) return driver + " " + pci;
        return (driver.empty() ? drm : driver) + " " + place;
    }
};

}  // namespace ollama_proxy::monitors
