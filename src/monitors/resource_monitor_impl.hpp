#pragma once

#include "monitors/assembler.hpp"
#include "monitors/energy_ledger.hpp"
#include "monitors/machine_reader.hpp"
#include "monitors/nvml.hpp"
#include "monitors/uevents.hpp"
#include "monitors/wakeup.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/monitors/resource_monitor.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

namespace ollama_proxy::monitors {

/// The monitor without its door. The functions are spread over files by job: the door, the loop
/// (`monitor_loop.cpp`) and what is read (`monitor_look.cpp`).
struct ResourceMonitor::Impl {
    explicit Impl(std::shared_ptr<const config::Config> config);

    void start();
    void stop();
    void run();
    /// Sleeps until `until`, or until something rings. True: an adapter or battery changed.
    bool sleep_until(TimePoint until);
    void look(const config::Config& config, const ExternalFacts& external, Clock::duration pace);
    void ask_nvml(const config::Config& config, Readings& readings);
    /// Reads the energy of devices that work now. True when there are some.
    bool measure(const config::Config& config);
    void publish(std::shared_ptr<const SystemSnapshot> snapshot);
    void say_once(const Readings& readings);

    /// Shared with the metrics, which may outlive the monitor.
    std::shared_ptr<SnapshotCell<SystemSnapshot>> snapshot_ =
        std::make_shared<SnapshotCell<SystemSnapshot>>(std::make_shared<const SystemSnapshot>());
    std::shared_ptr<EnergyLedger::Impl> energy_ = std::make_shared<EnergyLedger::Impl>();
    std::vector<Listener> listeners_;
    std::thread thread_;
    Wakeup wakeup_;

    std::mutex mutex_;  ///< what follows; never held while something is read or published
    std::shared_ptr<const config::Config> config_;
    ExternalFacts external_;
    bool poked_ = true;
    bool external_new_ = false;
    bool stopping_ = false;

    mutable std::mutex history_mutex_;
    std::deque<ThermalSample> history_;

    // used by the monitor's thread alone
    std::function<std::shared_ptr<FileReader>(const std::filesystem::path&)> files_;
    std::string nvml_library_;
    MachineReader reader_;
    std::optional<Nvml> nvml_;
    std::optional<UeventSocket> uevents_;  ///< the kernel's, unless a test has put its own here
    Assembler assembler_;
    bool denied_said_ = false;
};

}  // namespace ollama_proxy::monitors
