#include "monitors/energy_tap.hpp"

#include "monitors/binding.hpp"
#include "monitors/gpu.hpp"
#include "monitors/sysfs.hpp"

namespace ollama_proxy::monitors {
namespace {

template <class Predicate>
std::optional<EnergyTap> rapl_tap(const RaplFacts& rapl, Predicate fits) {
    EnergyTap tap;
    tap.source = EnergySource::rapl;
    for (const RaplDomain& domain : rapl.domains) {
        if (fits(domain)) tap.counters.push_back(domain.counter);
    }
    return tap.counters.empty() ? std::nullopt : std::optional(std::move(tap));
}

std::optional<EnergyTap> part_tap(const Part& part, bool nvml) {
    EnergyTap tap;
    if (is_nvidia(part)) {
        if (!nvml) return std::nullopt;
        tap.source = EnergySource::nvml;
        tap.nvml = part.pci.empty() ? "#0" : part.pci;
        if (!part.pci.empty()) tap.guard = "bus/pci/devices/" + part.pci;
        return tap;
    }
    if (!part.pci.empty()) tap.guard = "bus/pci/devices/" + part.pci;
    if (part.energy && !part.energy->path.empty()) {
        tap.source = EnergySource::hwmon;
        tap.counters.push_back(*part.energy);
        return tap;
    }
    if (part.watts_path.empty()) return std::nullopt;
    tap.source = EnergySource::hwmon_power;
    tap.watts_path = part.watts_path;
    return tap;
}

}  // namespace

std::string EnergyTap::key() const {
    std::string out{to_string(source)};
    for (const CounterFacts& counter : counters) out += " " + counter.path;
    return out + " " + watts_path + nvml;
}

std::optional<EnergyTap> tap_for(const config::Backend& backend, const Readings& readings,
                                 bool nvml) {
    if (!backend.device.rapl.empty()) {
        const std::string name = last_component(backend.device.rapl);
        return rapl_tap(readings.rapl, [&](const RaplDomain& domain) {
            return domain.zone == name || domain.name == name;
        });
    }
    if (backend.hardware == config::Hardware::cpu) {
        auto package = rapl_tap(readings.rapl, [](const RaplDomain& domain) {
            return domain.name.starts_with("package-");
        });
        if (package) return package;
    }
    for (const std::size_t index : parts_of(backend, readings.parts)) {
        if (auto tap = part_tap(readings.parts[index], nvml)) return tap;
    }
    if (backend.hardware == config::Hardware::igpu) {
        return rapl_tap(readings.rapl,
                        [](const RaplDomain& domain) { return domain.name == "uncore"; });
    }
    return std::nullopt;
}

std::optional<TapReading> read_tap(FileReader& sysfs, const EnergyTap& tap) {
    if (!tap.guard.empty() && is_asleep(sysfs, tap.guard)) return std::nullopt;
    TapReading out;
    for (const CounterFacts& counter : tap.counters) {
        const auto joules = read_micro(sysfs, counter.path);
        if (!joules) return std::nullopt;
        out.counters.push_back(*joules);
    }
    if (!tap.watts_path.empty()) {
        out.watts = read_micro(sysfs, tap.watts_path);
        if (!out.watts) return std::nullopt;
    }
    return out;
}

std::optional<double> joules_between(const EnergyTap& tap, const TapReading& before,
                                     const TapReading& now, Clock::duration time) {
    if (before.counters.size() != now.counters.size() || now.counters.empty()) return std::nullopt;
    double sum = 0;
    for (std::size_t i = 0; i < now.counters.size(); ++i) {
        const double wraps_at = i < tap.counters.size() ? tap.counters[i].wraps_at : 0;
        const auto joules = counted_joules(before.counters[i], now.counters[i], wraps_at, time);
        if (!joules) return std::nullopt;
        sum += *joules;
    }
    return sum;
}

}  // namespace ollama_proxy::monitors
