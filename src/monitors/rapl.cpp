#include "monitors/rapl.hpp"

#include "monitors/sysfs.hpp"

#include <algorithm>
#include <cerrno>

namespace ollama_proxy::monitors {
namespace {

/// The clock is read after the counter, so two readings may lie further apart than their times say.
constexpr std::chrono::duration<double> kShortest{0.25};

/// Each socket has a "core" and a "dram" of its own.
void name_parts(std::vector<RaplDomain>& domains) {
    for (RaplDomain& domain : domains) {
        domain.part = domain.name;
        if (std::ranges::count(domains, domain.name, &RaplDomain::name) < 2) continue;
        const std::string above = domain.zone.substr(0, domain.zone.rfind(':'));
        const auto package = std::ranges::find(domains, above, &RaplDomain::zone);
        domain.part = (package == domains.end() ? domain.zone : package->name) + "/" + domain.name;
    }
}

}  // namespace

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
    name_parts(out.domains);
    return out;
}

std::optional<double> counted_joules(double before, double now, double wraps_at,
                                     Clock::duration time) {
    double joules = now - before;
    if (joules < 0) {
        if (wraps_at <= 0 || before > wraps_at) return std::nullopt;
        joules += wraps_at;
    }
    const std::chrono::duration<double> passed = time;
    if (joules > kMostWatts * std::max(passed, kShortest).count()) return std::nullopt;
    return joules;
}

}  // namespace ollama_proxy::monitors
