#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/monitors/energy.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace ollama_proxy::monitors {

/// One point of `ResourceMonitor::thermal_history`.
struct ThermalSample {
    std::optional<double> cpu_c;
    std::optional<double> gpu_c;
    std::chrono::system_clock::time_point at{};
};

/// Reads the machine on threads of its own and publishes one immutable snapshot after another:
/// every `monitors.interval_ms` while requests are in flight, every `idle_interval_ms` else, at
/// once after a power supply event of the kernel, `poke()` or new external facts. Nothing else
/// ticks. Thread: any, unless said otherwise.
class ResourceMonitor {
  public:
    /// Called on the monitor's thread after each publication, the first one included; must not
    /// block and must not call `stop()`.
    using Listener = std::function<void(const std::shared_ptr<const SystemSnapshot>&)>;

    explicit ResourceMonitor(std::shared_ptr<const config::Config> config);
    /// Stops if it still runs.
    ~ResourceMonitor();
    ResourceMonitor(const ResourceMonitor&) = delete;
    ResourceMonitor& operator=(const ResourceMonitor&) = delete;

    /// Begins to read; without effect when `monitors.enabled` is false. At most once.
    void start();
    /// Returns when no listener will be called any more. A thread that hangs in a driver's file is
    /// left behind; it refers to nothing of this object.
    void stop();

    /// Never null; before the first reading everything is unknown.
    [[nodiscard]] std::shared_ptr<const SystemSnapshot> snapshot() const;
    /// Before `start()`.
    void subscribe(Listener listener);

    /// Reads now instead of at the next tick.
    void poke();
    /// Publishes a snapshot with these at once.
    void set_external(ExternalFacts facts);
    /// Who works, and what it costs: requests in flight set the pace.
    [[nodiscard]] EnergyLedger energy() const;
    /// Roots, intervals, limits and backends of a reloaded configuration; reads at once.
    void configure(std::shared_ptr<const config::Config> config);

    /// The last readings, oldest first, at most `count` of the 720 that are kept.
    [[nodiscard]] std::vector<ThermalSample> thermal_history(std::size_t count) const;

    struct Impl;

  private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::monitors
