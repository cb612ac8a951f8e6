#pragma once

#include "monitors/readings.hpp"
#include "ollama_proxy/config/backend.hpp"
#include "ollama_proxy/monitors/energy.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// Where the energy of a device is read while it works.
struct EnergyTap {
    EnergySource source = EnergySource::configured;
    std::vector<CounterFacts> counters;  ///< added up
    std::string watts_path;              ///< where there is no counter
    std::string nvml;                    ///< PCI address; NVML says then what it has
    std::string guard;                   ///< device that must not be in runtime suspend

    /// The same for the same thing.
    [[nodiscard]] std::string key() const;
};

/// The best one for a backend; absent: only its configured watts are known.
[[nodiscard]] std::optional<EnergyTap> tap_for(const config::Backend& backend,
                                               const Readings& readings, bool nvml);

/// What a tap said.
struct TapReading {
    std::vector<double> counters;  ///< joules, in the tap's order
    std::optional<double> watts;
};
/// Absent: not now.
[[nodiscard]] std::optional<TapReading> read_tap(FileReader& sysfs, const EnergyTap& tap);

/// Joules between two readings of a tap's counters, `time` apart.
[[nodiscard]] std::optional<double> joules_between(const EnergyTap& tap, const TapReading& before,
                                                   const TapReading& now, Clock::duration time);

}  // namespace ollama_proxy::monitors
