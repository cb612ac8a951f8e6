#include "monitors/gpu.hpp"

#include "monitors/hwmon.hpp"
#include "monitors/sysfs.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

/// "card1", not "card1-eDP-1" nor "renderD128".
bool is_card(std::string_view name) {
    constexpr std::string_view kPrefix = "card";
    return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
           std::ranges::all_of(name.substr(kPrefix.size()),
                               [](char c) { return c >= '0' && c <= '9'; });
}

/// The value of `key` in a device's `uevent` file.
std::string uevent_value(const std::string& text, std::string_view key) {
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = std::string_view(text).substr(begin, end - begin);
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=') {
            return std::string(line.substr(key.size() + 1));
        }
        begin = end + 1;
    }
    return {};
}

/// Integrated graphics of Intel is always device 2 of bus 0; AMD's has neither a fan of its own nor
/// a limit of its own, and does not sleep while the machine runs.
bool is_integrated(FileReader& sysfs, const std::string& chip, const Part& part) {
    if (part.driver == "i915" || part.driver == "xe") {
        return part.pci.empty() || part.pci.ends_with(":00:02.0");
    }
    if (part.driver != "amdgpu" || part.asleep || !part.fans.empty()) return false;
    return chip.empty() || !std::ranges::binary_search(sysfs.list(chip), "power1_cap");
}

void look(FileReader& sysfs, const std::string& device, Part& part) {
    part.asleep = is_asleep(sysfs, device);
    part.driver = sysfs.link_name(device + "/driver");
    std::string chip;
    if (!part.asleep) {
        if (part.driver.empty() || part.pci.empty()) {
            const std::string uevent = read_text(sysfs, device + "/uevent");
            if (part.driver.empty()) part.driver = uevent_value(uevent, "DRIVER");
            if (part.pci.empty()) part.pci = uevent_value(uevent, "PCI_SLOT_NAME");
        }
        for (const std::string& name : sysfs.list(device + "/hwmon")) {
            if (!name.starts_with("hwmon")) continue;
            part.hwmon = name;
            chip = device + "/hwmon/" + name;
            read_chip(sysfs, chip, TemperaturesWanted::all, part);
            break;
        }
    }
    if (part.driver == "nvidia") part.power_source = PowerSource::nvml;
    part.integrated = is_integrated(sysfs, chip, part);
}

}  // namespace

bool is_nvidia(const Part& part) { return part.driver == "nvidia"; }

std::vector<Part> find_gpus(FileReader& sysfs) {
    std::vector<Part> out;
    for (const std::string& name : sysfs.list("class/drm")) {
        if (!is_card(name)) continue;
        const std::string device = "class/drm/" + name + "/device";
        Part part;
        part.kind = Part::Kind::gpu;
        part.drm = name;
        const std::string target = sysfs.link_name(device);
        if (is_pci_address(target)) part.pci = target;
        look(sysfs, device, part);
        out.push_back(std::move(part));
    }
    for (const std::string& name : sysfs.list("bus/pci/drivers/nvidia")) {
        if (!is_pci_address(name)) continue;
        const bool known =
            std::ranges::any_of(out, [&](const Part& part) { return part.pci == name; });
        if (known) continue;
        Part part;
        part.kind = Part::Kind::gpu;
        part.pci = name;
        part.driver = "nvidia";
        part.asleep = is_asleep(sysfs, "bus/pci/drivers/nvidia/" + name);
        part.power_source = PowerSource::nvml;
        out.push_back(std::move(part));
    }
    return out;
}

Part find_pci_device(FileReader& sysfs, const std::string& address) {
    Part part;
    part.kind = Part::Kind::named;
    part.pci = address;
    look(sysfs, "bus/pci/devices/" + address, part);
    return part;
}

}  // namespace ollama_proxy::monitors
