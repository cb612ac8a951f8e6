#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace ollama_proxy::monitors {

/// One request's part in a device's energy.
struct EnergyJob {
    std::atomic<std::uint64_t> tokens{0};  ///< so far, as EnergyShare::tokens was told
    double configured_watts = 0;

    std::uint64_t counted = 0;  ///< tokens that were taken into account
    double joules = 0;
    double in_interval = 0;  ///< of `joules`, since the last reading
    double even_before = 0;  ///< of the device's even shares, those that are not its own or taken
};

/// Shares what one device draws among the requests that it works on, from one reading to the next;
/// between readings it goes on with the last known power. Pure: it takes `now`. While no request
/// has tokens to show all bear the same, which is one addition however many they are.
class EnergyShare {
  public:
    void begin(EnergyJob& job, TimePoint now);
    /// `job.joules` is final afterwards. True: measured, false: by the configured watts.
    bool end(EnergyJob& job, TimePoint now);
    /// What a stream has brought so far. Thread: any, beside the others.
    void tokens(EnergyJob& job, std::uint64_t so_far);

    /// The device's counter was read: `joules` since the reading before. Absent for the first one
    /// of a row, which only marks the beginning.
    void count(std::optional<double> joules, TimePoint now);
    /// The device's power was read; it is integrated over the time between two readings.
    void power(double watts, TimePoint now);

    [[nodiscard]] bool works() const { return !jobs_.empty(); }

  private:
    [[nodiscard]] double watts() const;
    void advance(TimePoint now);
    void draw(double joules);
    void distribute(double joules);
    void take_even(EnergyJob& job) const;
    void settle(double joules, TimePoint now);

    std::vector<EnergyJob*> jobs_;
    double configured_sum_ = 0;          ///< configured watts of all of them
    double even_ = 0;                    ///< what each of them has drawn where all bear the same
    std::atomic<bool> streaming_{true};  ///< one of them may have tokens to show
    TimePoint at_{};                     ///< up to here everything is distributed
    std::optional<TimePoint> interval_from_;  ///< the last reading of this row
    double charged_ = 0;                      ///< distributed since then
    std::optional<double> measured_watts_;
    std::optional<double> last_power_;
};

}  // namespace ollama_proxy::monitors
