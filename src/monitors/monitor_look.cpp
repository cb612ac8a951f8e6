#include "monitors/gpu.hpp"
#include "monitors/monitor_metrics.hpp"
#include "monitors/resource_monitor_impl.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <algorithm>
#include <utility>

namespace ollama_proxy::monitors {
namespace {

/// The first reading wakes NVIDIA's driver up, which takes its time.
constexpr std::chrono::seconds kNvmlLimit{5};
/// A value is believed for this many intervals after it was last read.
constexpr int kKeepReadings = 3;
constexpr std::size_t kHistory = 720;

}  // namespace

void ResourceMonitor::Impl::ask_nvml(const config::Config& config, Readings& readings) {
    if (!config.monitors.nvml) return;
    std::vector<Part*> parts;
    std::vector<std::string> gpus;
    const bool listed = std::ranges::any_of(readings.parts, is_nvidia);
    const bool wanted = std::ranges::any_of(config.backends, [](const config::Backend& backend) {
        return backend.hardware == config::Hardware::nvidia;
    });
    if (!listed && wanted && readings.nvidia_driver) {
        // containers often hide the bus and show the GPU
        Part part;
        part.kind = Part::Kind::gpu;
        part.driver = "nvidia";
        part.power_source = PowerSource::nvml;
        readings.parts.push_back(std::move(part));
    }
    for (Part& part : readings.parts) {
        if (!is_nvidia(part) || part.asleep) continue;
        parts.push_back(&part);
        gpus.push_back(part.pci.empty() ? "#0" : part.pci);
    }
    if (gpus.empty()) return;
    if (!nvml_) nvml_.emplace(nvml_library_, kNvmlLimit);
    const std::vector<NvmlFacts> facts = nvml_->read(gpus);
    for (std::size_t i = 0; i < facts.size() && i < parts.size(); ++i) {
        Part& part = *parts[i];
        part.temperatures.insert(part.temperatures.begin(), {"GPU", facts[i].celsius, {}});
        part.first_is_main = true;
        if (facts[i].fan_percent) part.fans.push_back({"fan", {}, facts[i].fan_percent});
        part.watts = facts[i].watts;
        part.slows_down = facts[i].slows_down;
    }
}

void ResourceMonitor::Impl::say_once(const Readings& readings) {
    if (!readings.rapl.denied || denied_said_) return;
    denied_said_ = true;
    telemetry::log_info(
        "the processor's energy counters may be read by root only: its energy is estimated from "
        "the configured watts; a udev rule can open them to a group",
        {{"files", "class/powercap/intel-rapl:*/energy_uj"}});
}

void ResourceMonitor::Impl::look(const config::Config& config, const ExternalFacts& external,
                                 Clock::duration pace) {
    auto readings = reader_.read(files_(config.monitors.sysfs_root),
                                 files_(config.monitors.proc_root), config.backends);
    if (readings) {
        say_once(*readings);
        ask_nvml(config, *readings);
        energy_->bind(config, *readings, config.monitors.nvml && (!nvml_ || nvml_->usable()));
    }
    Moment now;
    now.steady = Clock::now();
    now.wall = std::chrono::system_clock::now();
    now.keep = kKeepReadings * pace;
    auto next = std::make_shared<const SystemSnapshot>(
        assembler_.assemble(std::move(readings), config, external, now));
    tell_thermal_events(*snapshot_->load(), *next);
    {
        std::lock_guard lock(history_mutex_);
        history_.push_back({next->cpu_temperature_c, next->gpu_temperature_c, next->wall_time});
        if (history_.size() > kHistory) history_.pop_front();
    }
    publish(std::move(next));
}

bool ResourceMonitor::Impl::measure(const config::Config& config) {
    const auto meters = energy_->working();
    if (meters.empty()) return false;
    struct Round {
        std::vector<EnergyTap> taps;
        std::vector<std::optional<TapReading>> readings;
    };
    const auto round = std::make_shared<Round>();
    for (const auto& meter : meters) round->taps.push_back(*meter->tap());
    const bool done = reader_.run(files_(config.monitors.sysfs_root), [round](FileReader& files) {
        for (const EnergyTap& tap : round->taps) round->readings.push_back(read_tap(files, tap));
    });
    if (!done) return true;
    for (std::size_t i = 0; i < meters.size(); ++i) {
        auto& reading = round->readings[i];
        if (!reading) continue;
        const std::string& gpu = round->taps[i].nvml;
        if (!gpu.empty()) {
            if (!nvml_) nvml_.emplace(nvml_library_, kNvmlLimit);
            const auto facts = nvml_->read({gpu});
            if (facts.empty()) continue;
            if (facts[0].joules) reading->counters = {*facts[0].joules};
            reading->watts = facts[0].watts;
        }
        meters[i]->take(*reading, Clock::now());
    }
    return true;
}

}  // namespace ollama_proxy::monitors
