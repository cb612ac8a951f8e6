#include "monitors/binding.hpp"

#include "monitors/sysfs.hpp"

namespace ollama_proxy::monitors {
namespace {

template <class Predicate>
std::vector<std::size_t> first_that(std::span<const Part> parts, Predicate fits) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (fits(parts[i])) return {i};
    }
    return {};
}

std::vector<std::size_t> by_hardware(config::Hardware hardware, std::span<const Part> parts) {
    const auto is_gpu = [](const Part& part) { return part.kind == Part::Kind::gpu; };
    switch (hardware) {
        case config::Hardware::cpu: {
            std::vector<std::size_t> out;  // a machine may have several
            for (std::size_t i = 0; i < parts.size(); ++i) {
                if (parts[i].kind == Part::Kind::cpu) out.push_back(i);
            }
            return out;
        }
        case config::Hardware::igpu:
            return first_that(parts, [&](const Part& p) { return is_gpu(p) && p.integrated; });
        case config::Hardware::nvidia:
            return first_that(parts, [&](const Part& p) {
                return is_gpu(p) && (p.driver == "nvidia" || p.driver == "nouveau");
            });
        case config::Hardware::amd: {
            const auto is_amd = [&](const Part& p) {
                return is_gpu(p) && (p.driver == "amdgpu" || p.driver == "radeon");
            };
            auto discrete =
                first_that(parts, [&](const Part& p) { return is_amd(p) && !p.integrated; });
            return discrete.empty() ? first_that(parts, is_amd) : discrete;
        }
        default:
            return {};
    }
}

}  // namespace

std::vector<std::size_t> parts_of(const config::Backend& backend, std::span<const Part> parts) {
    const config::Device& device = backend.device;
    if (!device.hwmon.empty()) {
        const std::string name = last_component(device.hwmon);
        return first_that(parts, [&](const Part& part) {
            return part.hwmon == name || (!part.hwmon.empty() && part.driver == name);
        });
    }
    if (!device.thermal_zone.empty()) {
        const std::string name = last_component(device.thermal_zone);
        return first_that(parts, [&](const Part& part) {
            return part.zone == name || (!part.zone.empty() && part.driver == name);
        });
    }
    if (!device.drm.empty()) {
        const std::string name = last_component(device.drm);
        return first_that(parts, [&](const Part& part) { return part.drm == name; });
    }
    if (!device.pci.empty()) {
        const std::string name = last_component(device.pci);
        return first_that(parts, [&](const Part& part) { return part.pci == name; });
    }
    return by_hardware(backend.hardware, parts);
}

}  // namespace ollama_proxy::monitors
