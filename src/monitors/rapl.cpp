#include "monitors/rapl.hpp"

#include "monitors/sysfs.hpp"

#include <cerrno>

namespace ollama_proxy::monitors {

RaplFacts find_rapl(FileReader& sysfs) {
    RaplFacts out;
    for (const std::string& zone : sysfs.list("class/powercap")) {
        // "intel-rapl:0"; the same counters appear a second time as "intel-rapl-mmio:0"
        if (!zone.starts_with("intel-rapl:")) continue;
        const std::string dir = "class/powercap/" + zone;
        const std::string path = dir + "/energy_uj";
        const FileText energy = sysfs.read(path);
        if (energy.error == EACCES || energy.error == EPERM) {
            out.denied = true;
            continue;
        }
        if (!energy.ok()) continue;
        const auto micro = parse_integer(energy.text);
        if (!micro || *micro < 0) continue;
        RaplDomain domain;
        domain.zone = zone;
        domain.name = read_text(sysfs, dir + "/name");
        domain.counter.path = path;
        domain.counter.joules = static_cast<double>(*micro) / 1e6;
        domain.counter.wraps_at = read_micro(sysfs, dir + "/max_energy_range_uj").value_or(0);
        out.domains.push_back(std::move(domain));
    }
    return out;
}

std::optional<double> counted_joules(double before, double now, double wraps_at) {
    if (now >= before) return now - before;
    if (wraps_at <= 0 || before > wraps_at) return std::nullopt;
    return wraps_at - before + now;
}

}  // namespace ollama_proxy::monitors
