#pragma once

#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

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
    std::string driver;       ///< "coretemp", "amdgpu"; a thermal zone's type
    std::string pci;          ///< "0000:03:00.0", empty where it is none
    std::string drm;          ///< "card1"
    std::string hwmon;        ///< "hwmon3"
    std::string zone;         ///< "thermal_zone0"
    bool asleep = false;      ///< in runtime suspend: nothing below was looked at
    bool integrated = false;  ///< GPU beside the CPU
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
        if (pci.empty()) return driver.empty() ? drm : driver;
        return driver.empty() ? pci : driver + " " + pci;
    }
};

}  // namespace ollama_proxy::monitors
