#include "support/machine_tree.hpp"

#include <algorithm>
#include <fstream>

namespace test {

void MachineTree::remove(const std::string& prefix) {
    const auto below = [&](const auto& entry) { return entry.first.starts_with(prefix); };
    std::erase_if(files, below);
    std::erase_if(links, below);
}

std::string MachineTree::resolve(const std::string& path) const {
    std::string out;
    std::size_t begin = 0;
    while (begin < path.size()) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (!out.empty()) out += '/';
        out += path.substr(begin, end - begin);
        if (end < path.size()) {
            const auto link = links.find(out);
            if (link != links.end()) out = link->second;
        }
        begin = end + 1;
    }
    return out;
}

void MachineTree::add_chip(const std::string& number, const std::string& device,
                           const std::map<std::string, std::string>& chip) {
    const std::string dir = device + "/hwmon/" + number;
    add(dir, chip);
    links["class/hwmon/" + number] = dir;
    links[dir + "/device"] = device;
}

void MachineTree::add_card(const std::string& card, const std::string& device,
                           const std::string& driver, const std::string& runtime_status) {
    files[device + "/power/runtime_status"] = runtime_status;
    files[device + "/vendor"] = "0x0000";
    files["bus/pci/drivers/" + driver + "/module/version"] = "";
    const std::string address = device.substr(device.rfind('/') + 1);
    links[device + "/driver"] = "bus/pci/drivers/" + driver;
    links["bus/pci/drivers/" + driver + "/" + address] = device;
    links["bus/pci/devices/" + address] = device;
    links["class/drm/" + card] = device + "/drm/" + card;
    links[device + "/drm/" + card + "/device"] = device;
    files[device + "/drm/" + card + "/dev"] = "226:0";
}

void MachineTree::write_to(const std::filesystem::path& root) const {
    namespace fs = std::filesystem;
    for (const auto& [path, text] : files) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text << "\n";
    }
    for (const auto& [path, target] : links) {
        fs::create_directories((root / path).parent_path());
        fs::remove(root / path);
        fs::create_directories(root / target);
        fs::create_symlink(fs::absolute(root / target), root / path);
    }
}

namespace {

void add_rapl(MachineTree& tree) {
    tree.add("class/powercap/intel-rapl:0", {{"name", "package-0"},
                                             {"energy_uj", "1000000000"},
                                             {"max_energy_range_uj", "262143328850"}});
    tree.add(
        "class/powercap/intel-rapl:0:0",
        {{"name", "core"}, {"energy_uj", "600000000"}, {"max_energy_range_uj", "262143328850"}});
    tree.add(
        "class/powercap/intel-rapl:0:1",
        {{"name", "uncore"}, {"energy_uj", "50000000"}, {"max_energy_range_uj", "262143328850"}});
}

}  // namespace

MachineTree intel_laptop() {
    MachineTree tree;
    tree.add_chip("hwmon4", "devices/platform/coretemp.0",
                  {{"name", "coretemp"},
                   {"temp1_label", "Package id 0"},
                   {"temp1_input", "52000"},
                   {"temp1_max", "100000"},
                   {"temp1_crit", "100000"},
                   {"temp2_label", "Core 0"},
                   {"temp2_input", "51000"},
                   {"temp2_crit", "100000"}});
    tree.add_chip("hwmon5", "devices/platform/thinkpad_hwmon",
                  {{"name", "thinkpad"}, {"fan1_input", "2400"}, {"pwm1", "102"}});
    tree.add("class/thermal/thermal_zone0", {{"type", "acpitz"},
                                             {"temp", "45000"},
                                             {"trip_point_0_type", "critical"},
                                             {"trip_point_0_temp", "128000"}});
    tree.add("class/thermal/thermal_zone1", {{"type", "x86_pkg_temp"}, {"temp", "52000"}});
    tree.add_card("card0", "devices/pci0000:00/0000:00:02.0", "i915", "active");
    tree.files["devices/pci0000:00/0000:00:02.0/drm/card0/card0-eDP-1/status"] = "connected";
    tree.links["class/drm/card0-eDP-1"] = "devices/pci0000:00/0000:00:02.0/drm/card0/card0-eDP-1";
    tree.add_card("card1", kNvidiaDevice, "nvidia", "suspended");
    tree.add("devices/pci0000:00/0000:00:0b.0/power", {{"runtime_status", "suspended"}});
    tree.links["bus/pci/devices/0000:00:0b.0"] = "devices/pci0000:00/0000:00:0b.0";
    tree.add("class/power_supply/AC", {{"type", "Mains"}, {"online", "0"}});
    tree.add("class/power_supply/BAT0", {{"type", "Battery"},
                                         {"present", "1"},
                                         {"status", "Discharging"},
                                         {"capacity", "42"},
                                         {"energy_now", "24000000"},
                                         {"energy_full", "57000000"},
                                         {"power_now", "12000000"}});
    add_rapl(tree);
    for (const char* cpu : {"cpu0", "cpu1", "cpu2", "cpu3"}) {
        tree.add(std::string("devices/system/cpu/") + cpu + "/thermal_throttle",
                 {{"core_throttle_count", "3"}, {"package_throttle_count", "7"}});
    }
    tree.files["devices/system/cpu/cpufreq/boost"] = "1";
    return tree;
}

MachineTree amd_laptop() {
    MachineTree tree;
    tree.add_chip("hwmon2", "devices/pci0000:00/0000:00:18.3",
                  {{"name", "k10temp"}, {"temp1_label", "Tctl"}, {"temp1_input", "61125"}});
    const std::string apu = "devices/pci0000:00/0000:00:08.1/0000:05:00.0";
    tree.add_card("card1", apu, "amdgpu", "active");
    tree.add_chip("hwmon3", apu,
                  {{"name", "amdgpu"},
                   {"temp1_label", "edge"},
                   {"temp1_input", "48000"},
                   {"power1_label", "PPT"},
                   {"power1_average", "9000000"}});
    const std::string discrete = "devices/pci0000:00/0000:00:01.1/0000:03:00.0";
    tree.add_card("card0", discrete, "amdgpu", "active");
    tree.add_chip("hwmon6", discrete,
                  {{"name", "amdgpu"},
                   {"temp1_label", "edge"},
                   {"temp1_input", "57000"},
                   {"temp1_crit", "100000"},
                   {"temp2_label", "junction"},
                   {"temp2_input", "63000"},
                   {"temp2_crit", "110000"},
                   {"power1_average", "31000000"},
                   {"power1_cap", "90000000"}});
    tree.add("class/power_supply/ACAD", {{"type", "Mains"}, {"online", "1"}});
    tree.add("class/power_supply/BAT0", {{"type", "Battery"},
                                         {"status", "Charging"},
                                         {"capacity", "80"},
                                         {"charge_now", "2400000"},
                                         {"charge_full", "3000000"},
                                         {"voltage_min_design", "10000000"},
                                         {"voltage_now", "12500000"},
                                         {"current_now", "1000000"}});
    tree.add("class/power_supply/BAT1", {{"type", "Battery"},
                                         {"status", "Not charging"},
                                         {"capacity", "20"},
                                         {"charge_now", "600000"},
                                         {"charge_full", "3000000"},
                                         {"voltage_min_design", "20000000"}});
    tree.add(
        "class/power_supply/hidpp_battery_0",
        {{"type", "Battery"}, {"scope", "Device"}, {"status", "Discharging"}, {"capacity", "5"}});
    return tree;
}

MachineTree desktop() {
    MachineTree tree;
    tree.add_chip("hwmon1", "devices/pci0000:00/0000:00:18.3",
                  {{"name", "zenpower"},
                   {"temp1_label", "Tdie"},
                   {"temp1_input", "55500"},
                   {"temp2_label", "Tctl"},
                   {"temp2_input", "65500"}});
    const std::string gpu = "devices/pci0000:00/0000:00:03.1/0000:0a:00.0";
    tree.add_card("card0", gpu, "amdgpu", "active");
    tree.add_chip("hwmon0", gpu,
                  {{"name", "amdgpu"},
                   {"temp1_label", "edge"},
                   {"temp1_input", "66000"},
                   {"temp1_crit", "100000"},
                   {"fan1_input", "1200"},
                   {"fan1_max", "3000"},
                   {"pwm1", "90"},
                   {"power1_average", "140000000"},
                   {"power1_cap", "220000000"}});
    tree.add_chip("hwmon2", "devices/platform/nct6775.656",
                  {{"name", "nct6798"},
                   {"temp1_input", "38000"},
                   {"fan1_input", "820"},
                   {"fan2_input", "1480"},
                   {"pwm2", "128"},
                   {"fan3_input", "0"},
                   {"fan7_input", "0"}});
    return tree;
}

MachineTree raspberry_pi() {
    MachineTree tree;
    tree.add("class/thermal/thermal_zone0", {{"type", "cpu-thermal"},
                                             {"temp", "58426"},
                                             {"trip_point_0_type", "critical"},
                                             {"trip_point_0_temp", "110000"},
                                             {"trip_point_1_type", "active"},
                                             {"trip_point_1_temp", "50000"}});
    tree.add_chip("hwmon0", "devices/virtual/thermal/thermal_zone0",
                  {{"name", "cpu_thermal"}, {"temp1_input", "58426"}, {"temp1_crit", "110000"}});
    tree.add_chip("hwmon1", "devices/platform/rpi_volt", {{"name", "rpi_volt"}});
    tree.add_chip("hwmon2", "devices/platform/cooling_fan",
                  {{"name", "pwmfan"}, {"fan1_input", "3012"}, {"pwm1", "75"}});
    return tree;
}

MachineTree virtual_machine() {
    MachineTree tree;
    tree.files["devices/system/cpu/cpu0/topology/core_id"] = "0";
    tree.files["class/drm/version"] = "drm 1.1.0 20060810";
    return tree;
}

}  // namespace test
