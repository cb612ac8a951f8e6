#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>

namespace ollama_proxy::monitors {

/// Degrees at which one sensor's states begin.
struct HeatLimits {
    double elevated = 80;
    double high = 85;
    double critical = 90;
    double recovery = 75;
    int hold = 1;  ///< readings in a row that `high` and `critical` need

    friend bool operator==(const HeatLimits&, const HeatLimits&) = default;
};

/// A sensor that knows its own critical limit is judged by it, unless the configuration says
/// otherwise: laptop processors run near their limit by design, so it must hold for 3 readings.
[[nodiscard]] HeatLimits heat_limits(const config::Thermal& settings, std::optional<double> crit);

/// One part's heat in one reading.
struct HeatInput {
    std::string part;  ///< its key: each has a row of readings of its own
    std::optional<double> celsius;
    bool fresh =
        true;  ///< false: an earlier value, which neither counts as a reading nor as rising
    std::optional<double> crit;
    std::optional<double> fan_rpm;  ///< of the fan that cools it
};

/// The machine's thermal state from one reading to the next. Pure.
class ThermalMachine {
  public:
    /// `cpu_c`, `gpu_c`: for the event.
    ThermalFacts update(std::span<const HeatInput> inputs, const config::Thermal& settings,
                        std::optional<double> cpu_c, std::optional<double> gpu_c,
                        std::chrono::system_clock::time_point now);

  private:
    struct Memory {
        std::optional<double> last;
        int over_high = 0;
        int over_critical = 0;
    };
    ThermalState judge(const HeatInput& input, const HeatLimits& limits);
    void raise(ThermalEventKind kind, std::optional<double> cpu_c, std::optional<double> gpu_c,
               std::chrono::system_clock::time_point now);

    std::map<std::string, Memory, std::less<>> memory_;
    ThermalFacts facts_;
};

/// Whether a backend's device counts as throttled: from the moment it is over its limit or says
/// that it slows itself down, until it was under recovery and silent for 10 s. Pure.
class ThrottleMark {
  public:
    /// An unknown temperature neither sets the mark nor counts as cool, but for one that does not
    /// come back: after 10 s of not being known the mark is gone.
    bool update(std::optional<double> celsius, double limit, double recovery, bool slows_down,
                TimePoint now);

  private:
    bool marked_ = false;
    std::optional<TimePoint> under_since_;
};

}  // namespace ollama_proxy::monitors
