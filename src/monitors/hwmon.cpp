#include "monitors/hwmon.hpp"

#include "monitors/sysfs.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ollama_proxy::monitors {
namespace {

constexpr double kPwmFull = 255;
/// No fan turns faster; what says so is a reading error.
constexpr double kFastestFan = 30'000;

/// "temp" and "temp12_input" -> "12"; empty when `file` is not such a one.
std::string number_of(std::string_view file, std::string_view what, std::string_view attribute) {
    if (!file.starts_with(what) || !file.ends_with(attribute)) return {};
    const std::string_view number =
        file.substr(what.size(), file.size() - what.size() - attribute.size());
    const bool digits =
        !number.empty() && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    return digits ? std::string(number) : std::string();
}

bool has(const std::vector<std::string>& files, const std::string& file) {
    return std::ranges::binary_search(files, file);
}

void read_temperatures(FileReader& sysfs, const std::string& dir,
                       const std::vector<std::string>& files, TemperaturesWanted wanted,
                       Part& part) {
    struct Found {
        std::string prefix;
        std::string label;
    };
    std::vector<Found> found;
    for (const std::string& file : files) {
        const std::string number = number_of(file, "temp", "_input");
        if (number.empty()) continue;
        Found one{"temp" + number, {}};
        if (has(files, one.prefix + "_label")) {
            one.label = read_text(sysfs, dir + "/" + one.prefix + "_label");
        }
        found.push_back(std::move(one));
    }
    // the better the sensor stands for the whole, the earlier
    static constexpr std::array kMain{"Package id", "Tdie", "Tctl", "edge", "pkg"};
    for (const char* label : kMain) {
        const auto main = std::ranges::find_if(
            found, [&](const Found& one) { return one.label.starts_with(label); });
        if (main == found.end()) continue;
        std::rotate(found.begin(), main, main + 1);
        part.first_is_main = true;
        if (wanted == TemperaturesWanted::processor) found.resize(1);
        break;
    }
    for (const Found& one : found) {
        TemperatureFacts facts;
        facts.label = one.label.empty() ? one.prefix : one.label;
        facts.celsius = read_celsius(sysfs, dir + "/" + one.prefix + "_input");
        if (has(files, one.prefix + "_crit")) {
            facts.crit = read_celsius(sysfs, dir + "/" + one.prefix + "_crit");
        }
        part.temperatures.push_back(std::move(facts));
    }
}

void read_fans(FileReader& sysfs, const std::string& dir, const std::vector<std::string>& files,
               Part& part) {
    for (const std::string& file : files) {
        const std::string number = number_of(file, "fan", "_input");
        if (number.empty()) continue;
        FanFacts fan;
        const std::string prefix = dir + "/fan" + number;
        fan.label = "fan" + number;
        if (has(files, fan.label + "_label")) fan.label = read_text(sysfs, prefix + "_label");
        const auto rpm = read_integer(sysfs, prefix + "_input");
        // 65535 is what several chips give for "cannot tell"
        if (rpm && *rpm >= 0 && *rpm <= kFastestFan) fan.rpm = static_cast<double>(*rpm);
        const auto most = has(files, "fan" + number + "_max") ? read_integer(sysfs, prefix + "_max")
                                                              : std::nullopt;
        const auto pwm =
            has(files, "pwm" + number) ? read_integer(sysfs, dir + "/pwm" + number) : std::nullopt;
        if (fan.rpm && most && *most > 0) {
            fan.percent = std::min(100.0, 100 * *fan.rpm / static_cast<double>(*most));
        } else if (pwm && *pwm >= 0 && *pwm <= kPwmFull) {
            fan.percent = 100 * static_cast<double>(*pwm) / kPwmFull;
        }
        part.fans.push_back(std::move(fan));
    }
}

/// The first of them, "power1_average" before "power2_average".
std::string first_of(const std::vector<std::string>& files, std::string_view what,
                     std::string_view attribute) {
    std::string best;
    for (const std::string& file : files) {
        const std::string number = number_of(file, what, attribute);
        if (number.empty()) continue;
        const bool lower =
            best.empty() || std::pair(file.size(), file) < std::pair(best.size(), best);
        if (lower) best = file;
    }
    return best;
}

void read_power(FileReader& sysfs, const std::string& dir, const std::vector<std::string>& files,
                Part& part) {
    for (const char* attribute : {"_average", "_input"}) {
        const std::string file = first_of(files, "power", attribute);
        if (file.empty()) continue;
        if (part.watts_path.empty()) part.watts_path = dir + "/" + file;
        const auto watts = read_micro(sysfs, dir + "/" + file);
        if (!watts || *watts > kMostWatts) continue;
        part.watts = watts;
        part.watts_path = dir + "/" + file;
        break;
    }
    // xe has energy1 for the card and energy2 for its chip, or the latter alone
    const std::string energy = first_of(files, "energy", "_input");
    if (energy.empty()) return;
    if (const auto joules = read_micro(sysfs, dir + "/" + energy)) {
        part.energy = CounterFacts{dir + "/" + energy, *joules, 0};
    }
}

}  // namespace

bool is_cpu_chip(std::string_view driver) {
    return driver == "coretemp" || driver == "k10temp" || driver == "zenpower";
}

bool is_gpu_chip(std::string_view driver) {
    return driver == "amdgpu" || driver == "i915" || driver == "xe" || driver == "nouveau" ||
           driver == "radeon";
}

void read_chip(FileReader& sysfs, const std::string& dir, TemperaturesWanted wanted, Part& part) {
    const std::vector<std::string> files = sysfs.list(dir);
    if (wanted != TemperaturesWanted::none) {
        read_temperatures(sysfs, dir, files, wanted, part);
        read_power(sysfs, dir, files, part);
    }
    read_fans(sysfs, dir, files, part);
}

std::vector<Part> find_chips(FileReader& sysfs, const std::vector<std::string>& named) {
    std::vector<Part> out;
    for (const std::string& name : sysfs.list("class/hwmon")) {
        const std::string dir = "class/hwmon/" + name;
        Part part;
        part.hwmon = name;
        const std::string device = sysfs.link_name(dir + "/device");
        (is_pci_address(device) ? part.pci : part.place) = device;
        part.asleep = is_asleep(sysfs, dir + "/device");
        if (part.asleep) {
            part.driver = sysfs.link_name(dir + "/device/driver");
        } else {
            part.driver = read_text(sysfs, dir + "/name");
        }
        if (is_gpu_chip(part.driver)) continue;
        const bool is_named = std::ranges::any_of(
            named, [&](const auto& wanted) { return wanted == name || wanted == part.driver; });
        if (is_cpu_chip(part.driver)) part.kind = Part::Kind::cpu;
        if (is_named && part.kind == Part::Kind::board) part.kind = Part::Kind::named;
        if (!part.asleep) {
            const auto temperatures = is_named                       ? TemperaturesWanted::all
                                      : part.kind == Part::Kind::cpu ? TemperaturesWanted::processor
                                                                     : TemperaturesWanted::none;
            read_chip(sysfs, dir, temperatures, part);
        }
        if (part.kind != Part::Kind::board || !part.fans.empty()) out.push_back(std::move(part));
    }
    return out;
}

}  // namespace ollama_proxy::monitors
