#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::monitors {

/// Where joules come from, best first; always said beside them.
enum class EnergySource : std::uint8_t {
    nvml,         ///< NVIDIA's energy counter
    rapl,         ///< the processor's energy counter
    hwmon,        ///< a driver's energy counter
    nvml_power,   ///< NVIDIA's power, integrated
    hwmon_power,  ///< a driver's power, integrated
    configured,   ///< the configured watts times the time it worked
};
inline constexpr std::size_t kEnergySources = 6;
[[nodiscard]] std::string_view to_string(EnergySource source);

/// What one request drew.
struct EnergyCharge {
    double joules = 0;
    EnergySource source = EnergySource::configured;
};

/// What one backend has drawn for requests so far.
struct BackendEnergy {
    std::string backend_id;
    std::optional<double> joules_per_token;  ///< of the last requests
    EnergySource source = EnergySource::configured;
    double joules[kEnergySources] = {};  ///< in all, by source
};

/// Shares the energy of each backend's device among the requests it works on: by the tokens that
/// they get, and evenly while they have none. What a device draws while nothing runs is charged to
/// nobody. Thread: any.
class EnergyLedger {
  public:
    struct Impl;

    /// One request on one backend, from the moment it is sent until it ends. Move-only; dropping it
    /// ends it. Thread: one at a time.
    class Work {
      public:
        Work();
        Work(Work&&) noexcept;
        Work& operator=(Work&&) noexcept;
        ~Work();

        /// Tokens that came so far, an estimate is good enough. Cheap: one store.
        void tokens(std::uint64_t so_far);
        /// Ends it. `tokens`: how many there were in all, as far as known. Absent: nothing is known
        /// of this backend's power. Afterwards it is empty.
        std::optional<EnergyCharge> finish(std::uint64_t tokens, TimePoint now = Clock::now());
        /// Ends what never reached the backend: it is charged nothing.
        void forget();

      private:
        friend class EnergyLedger;
        struct State;
        std::unique_ptr<State> state_;
    };

    explicit EnergyLedger(std::shared_ptr<Impl> impl);

    /// An id that is not known gives a Work that charges nothing.
    [[nodiscard]] Work begin(std::string_view backend_id, TimePoint now = Clock::now()) const;
    [[nodiscard]] std::optional<BackendEnergy> of(std::string_view backend_id) const;

  private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::monitors
