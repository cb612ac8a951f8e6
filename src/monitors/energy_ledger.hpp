#pragma once

#include "monitors/energy_share.hpp"
#include "monitors/energy_tap.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/energy.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// One device whose energy is shared; several backends may run on it.
class EnergyMeter {
  public:
    EnergyMeter(std::optional<EnergyTap> tap) : tap_(std::move(tap)) {}

    void begin(EnergyJob& job, TimePoint now);
    EnergySource end(EnergyJob& job, TimePoint now);
    /// Without the lock: a token must not wait for a reading.
    void tokens(EnergyJob& job, std::uint64_t so_far) { share_.tokens(job, so_far); }
    [[nodiscard]] bool works() const;

    /// Absent: there is nothing to read, the configured watts must do.
    [[nodiscard]] const std::optional<EnergyTap>& tap() const { return tap_; }
    /// Thread: the monitor's alone.
    void take(const TapReading& reading, TimePoint now);
    /// The next reading begins a new row.
    void pause() { before_.reset(); }

  private:
    const std::optional<EnergyTap> tap_;
    std::optional<TapReading> before_;
    TimePoint before_at_{};

    mutable std::mutex mutex_;  ///< held for a few instructions
    EnergyShare share_;
    bool counts_ = true;  ///< by a counter, in contrast to power
};

/// What the ledger, the requests' `Work` and the monitor share.
struct EnergyLedger::Impl {
    /// One backend.
    struct Slot {
        std::mutex mutex;
        std::shared_ptr<EnergyMeter> meter;
        std::optional<double> configured_watts;
        BackendEnergy energy;
        double recent_joules = 0;  ///< fading, for joules per token
        double recent_tokens = 0;

        void record(const EnergyCharge& charge, std::uint64_t tokens);
    };

    /// Backends of a configuration. Those that stay keep what they drew.
    void configure(const config::Config& config);
    /// What each backend's device can be read by; a device that sleeps keeps what it had.
    void bind(const config::Config& config, const Readings& readings, bool nvml);

    [[nodiscard]] std::shared_ptr<Slot> slot(std::string_view backend_id);
    /// Devices that work now and can be read.
    [[nodiscard]] std::vector<std::shared_ptr<EnergyMeter>> working();
    [[nodiscard]] bool busy() const { return in_flight.load() > 0; }
    [[nodiscard]] std::vector<BackendEnergy> totals();

    std::mutex mutex;  ///< of the maps
    std::map<std::string, std::shared_ptr<Slot>, std::less<>> slots;
    std::map<std::string, std::shared_ptr<EnergyMeter>> meters;

    std::atomic<int> in_flight{0};
    /// The monitor looks at the work; while it does not, the first request wakes it.
    std::atomic<bool> watched{false};
    std::mutex wake_mutex;
    std::function<void()> wake;  ///< empty once the monitor has stopped
};

}  // namespace ollama_proxy::monitors
