#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace ollama_proxy::monitors {

/// One request's part in a device's energy.
struct EnergyJob {
    std::atomic<std::uint64_t> tokens{0};  ///< so far; the only thing that others may write
    double configured_watts = 0;

    std::uint64_t counted = 0;  ///< tokens that were taken into account
    double joules = 0;
    double in_interval = 0;  ///< of `joules`, since the last reading
};

/// Shares what one device draws among the requests that it works on, from one reading to the next;
/// between readings it goes on with the last known power. Pure: it takes `now`.
class EnergyShare {
  public:
    void begin(EnergyJob& job, TimePoint now);
    /// `job.joules` is final afterwards. True: measured, false: by the configured watts.
    bool end(EnergyJob& job, TimePoint now);

    /// The device's counter was read: `joules` since the reading before. Absent for the first one
    /// of a row, which only marks the beginning.
    void count(std::optional<double> joules, TimePoint now);
    /// The device's power was read; it is integrated over the time between two readings.
    void power(double watts, TimePoint now);

    [[nodiscard]] bool works() const { return !jobs_.empty(); }

  private:
    [[nodiscard]] double watts() const;
    void advance(TimePoint now);
    void distribute(double joules);
    void settle(double joules, TimePoint now);

    std::vector<EnergyJob*> jobs_;
    TimePoint at_{};                          ///< up to here everything is distributed
    std::optional<TimePoint> interval_from_;  ///< the last reading of this row
    double charged_ = 0;                      ///< distributed since then
    std::optional<double> measured_watts_;
    std::optional<double> last_power_;
};

}  // namespace ollama_proxy::monitors
