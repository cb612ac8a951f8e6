#pragma once

#include "monitors/readings.hpp"
#include "monitors/sensor_memory.hpp"
#include "monitors/thermal_machine.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// The moment of a reading.
struct Moment {
    TimePoint steady{};
    std::chrono::system_clock::time_point wall{};
    Clock::duration keep{};  ///< values older than this are not known any more
};

/// Makes snapshots of readings, one after another: remembers what could not be read this time, what
/// counters stood at, which backends are throttled and what the thermal state was. Pure.
class Assembler {
  public:
    /// `readings` absent: nothing could be read this time.
    [[nodiscard]] SystemSnapshot assemble(std::optional<Readings> readings,
                                          const config::Config& config,
                                          const ExternalFacts& external, const Moment& now);

  private:
    struct Drawn {
        double joules = 0;
        TimePoint at{};
    };
    struct Heats;
    void take_power(const std::optional<Readings>& readings, const Moment& now,
                    SystemSnapshot& out);
    void take_draws(const Readings& readings, std::span<const Part> parts, const Moment& now,
                    SystemSnapshot& out);
    DeviceReading device_of(const config::Backend& backend, const Heats& heats,
                            const config::Thermal& settings, const SystemSnapshot& machine,
                            TimePoint now);

    SensorMemory sensors_;
    ThermalMachine thermal_;
    std::map<std::string, ThrottleMark> marks_;  ///< by backend
    std::map<std::string, Drawn> drawn_;         ///< by counter
    std::optional<std::int64_t> throttle_count_;
    std::optional<PowerSupply> power_;  ///< last known
    TimePoint power_at_{};
    bool has_battery_ = false;  ///< one was seen, and not taken out
};

}  // namespace ollama_proxy::monitors
