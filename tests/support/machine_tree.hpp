#pragma once

#include <filesystem>
#include <map>
#include <string>

/// Trees as the kernel shows them under /sys, written from its documentation
/// (Documentation/hwmon, ABI/testing/sysfs-class-power, admin-guide/pm, driver-api/thermal), for
/// tests only.
namespace test {

struct MachineTree {
    std::map<std::string, std::string> files;  ///< path below the root -> text
    std::map<std::string, std::string> links;  ///< path -> path without links, below the root

    void add(const std::string& directory, const std::map<std::string, std::string>& more) {
        for (const auto& [name, text] : more) files[directory + "/" + name] = text;
    }
    void set(const std::string& path, std::string text) { files[path] = std::move(text); }
    /// Everything whose path begins like this.
    void remove(const std::string& prefix);
    /// The path without links on the way; the last component stays if it is a link itself.
    [[nodiscard]] std::string resolve(const std::string& path) const;

    /// A chip under `class/hwmon`, its files beside its device.
    void add_chip(const std::string& number, const std::string& device,
                  const std::map<std::string, std::string>& chip);
    /// A graphics card: `device` is below devices/, its last component the PCI address.
    void add_card(const std::string& card, const std::string& device, const std::string& driver,
                  const std::string& runtime_status);

    void write_to(const std::filesystem::path& root) const;
};

/// coretemp with a critical limit of 100, x86_pkg_temp, iGPU (i915), NPU (intel_vpu), NVIDIA dGPU
/// that sleeps, one battery at 42 % on battery power, RAPL, throttle counters.
[[nodiscard]] MachineTree intel_laptop();
/// k10temp, APU (amdgpu) and discrete GPU (amdgpu) that is awake, two batteries, a mouse.
[[nodiscard]] MachineTree amd_laptop();
/// zenpower, discrete amdgpu with a fan, board with four fans; neither battery nor adapter.
[[nodiscard]] MachineTree desktop();
/// thermal zone cpu-thermal, pwmfan; nothing else.
[[nodiscard]] MachineTree raspberry_pi();
/// No sensor at all.
[[nodiscard]] MachineTree virtual_machine();

/// Where the Intel laptop's NVIDIA card lives.
inline const std::string kNvidiaDevice = "devices/pci0000:00/0000:00:01.0/0000:01:00.0";

}  // namespace test
