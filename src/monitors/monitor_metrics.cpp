#include "monitors/monitor_metrics.hpp"

#include "ollama_proxy/telemetry/log.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::monitors {
namespace {

std::vector<telemetry::Sample> energy_samples(const std::shared_ptr<EnergyLedger::Impl>& energy) {
    std::vector<telemetry::Sample> out;
    if (!energy) return out;
    for (const BackendEnergy& backend : energy->totals()) {
        for (std::size_t i = 0; i < kEnergySources; ++i) {
            if (backend.joules[i] <= 0) continue;
            const auto source = static_cast<EnergySource>(i);
            out.push_back(
                {{backend.backend_id, std::string(to_string(source))}, backend.joules[i]});
        }
    }
    return out;
}

std::vector<telemetry::Sample> sensor_samples(
    const std::shared_ptr<const SystemSnapshot>& snapshot) {
    std::vector<telemetry::Sample> out;
    if (!snapshot) return out;
    for (const Sensor& sensor : snapshot->sensors) {
        if (!sensor.value) continue;
        out.push_back({{sensor.name, std::string(to_string(sensor.kind))}, *sensor.value});
    }
    return out;
}

std::vector<telemetry::Sample> power_samples(
    const std::shared_ptr<const SystemSnapshot>& snapshot) {
    std::vector<telemetry::Sample> out;
    if (!snapshot) return out;
    for (const PowerReading& draw : snapshot->draws) {
        out.push_back({{draw.name, std::string(to_string(draw.source))}, draw.watts});
    }
    return out;
}

}  // namespace

void offer_metrics(const std::shared_ptr<EnergyLedger::Impl>& energy,
                   const std::shared_ptr<SnapshotCell<SystemSnapshot>>& snapshot) {
    telemetry::metrics().sampled(
        telemetry::SampleKind::counter, "ollama_proxy_energy_joules_total",
        "Energy charged to requests, by where the number comes from.", {"backend", "source"},
        [energy = std::weak_ptr(energy)] { return energy_samples(energy.lock()); });
    telemetry::metrics().sampled(
        telemetry::SampleKind::gauge, "ollama_proxy_sensor_value",
        "Last reading of each sensor: degrees Celsius, revolutions per minute or watts.",
        {"sensor", "kind"}, [snapshot = std::weak_ptr(snapshot)] {
            const auto cell = snapshot.lock();
            return sensor_samples(cell ? cell->load() : nullptr);
        });
    telemetry::metrics().sampled(telemetry::SampleKind::gauge, "ollama_proxy_power_watts",
                                 "What parts of the machine drew at the last reading, and the "
                                 "whole of it while it discharges.",
                                 {"part", "source"}, [snapshot = std::weak_ptr(snapshot)] {
                                     const auto cell = snapshot.lock();
                                     return power_samples(cell ? cell->load() : nullptr);
                                 });
}

void tell_thermal_events(const SystemSnapshot& before, const SystemSnapshot& now) {
    if (now.thermal.events == before.thermal.events || !now.thermal.last_event) return;
    const std::string kind{to_string(now.thermal.last_event->kind)};
    const std::string hottest =
        now.thermal.hottest_c ? std::to_string(static_cast<int>(*now.thermal.hottest_c)) : "";
    telemetry::metrics()
        .counters("ollama_proxy_thermal_events_total", "Changes of the thermal state.", {"kind"})
        .with({kind})
        .add(now.thermal.events - before.thermal.events);
    if (now.thermal.last_event->kind == ThermalEventKind::recovery) {
        telemetry::log_info("the machine has cooled down", {{"hottest_c", hottest}});
    } else {
        telemetry::log_warn("the machine is hot", {{"event", kind}, {"hottest_c", hottest}});
    }
}

}  // namespace ollama_proxy::monitors
