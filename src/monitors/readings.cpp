#include "monitors/readings.hpp"

#include "monitors/gpu.hpp"
#include "monitors/hwmon.hpp"
#include "monitors/power_supply.hpp"
#include "monitors/sysfs.hpp"
#include "monitors/thermal_zone.hpp"
#include "monitors/throttle_count.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

/// What the backends name by one field of their `device`, without a path before it.
std::vector<std::string> named(std::span<const config::Backend> backends,
                               std::string config::Device::* field) {
    std::vector<std::string> out;
    for (const config::Backend& backend : backends) {
        const std::string& name = backend.device.*field;
        if (!name.empty()) out.push_back(last_component(name));
    }
    return out;
}

}  // namespace

Readings read_machine(FileReader& sysfs, std::span<const config::Backend> backends) {
    Readings out;
    out.parts = find_chips(sysfs, named(backends, &config::Device::hwmon));
    const bool processor_known = std::ranges::any_of(out.parts, [](const Part& part) {
        return part.kind == Part::Kind::cpu && !part.temperatures.empty();
    });
    for (auto& zone :
         find_zones(sysfs, processor_known, named(backends, &config::Device::thermal_zone))) {
        out.parts.push_back(std::move(zone));
    }
    for (auto& gpu : find_gpus(sysfs)) out.parts.push_back(std::move(gpu));
    for (const std::string& address : named(backends, &config::Device::pci)) {
        const bool known =
            std::ranges::any_of(out.parts, [&](const Part& part) { return part.pci == address; });
        if (!known && is_pci_address(address)) {
            out.parts.push_back(find_pci_device(sysfs, address));
        }
    }
    out.rapl = find_rapl(sysfs);
    out.power = combine(read_supplies(sysfs));
    out.throttle_count = read_throttle_count(sysfs);
    return out;
}

}  // namespace ollama_proxy::monitors
