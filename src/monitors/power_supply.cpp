#include "monitors/power_supply.hpp"

#include "monitors/sysfs.hpp"

#include <algorithm>
#include <cmath>

namespace ollama_proxy::monitors {
namespace {

SupplyFacts::Status status_of(const std::string& word) {
    if (word == "Charging") return SupplyFacts::Status::charging;
    if (word == "Discharging") return SupplyFacts::Status::discharging;
    if (word == "Full" || word == "Not charging") return SupplyFacts::Status::idle;
    return SupplyFacts::Status::unknown;
}

/// Watt hours from `energy_*`, or from `charge_*` and a voltage.
std::optional<double> watt_hours(FileReader& sysfs, const std::string& dir, const char* what,
                                 std::optional<double> volts) {
    if (const auto energy = read_micro(sysfs, dir + "/energy_" + what)) return energy;
    const auto charge = read_micro(sysfs, dir + "/charge_" + what);
    if (!charge || !volts) return std::nullopt;
    return *charge * *volts;
}

/// Some drivers give a discharge as a negative number.
std::optional<double> magnitude(FileReader& sysfs, const std::string& path) {
    const auto value = read_integer(sysfs, path);
    if (!value) return std::nullopt;
    return std::abs(static_cast<double>(*value)) / 1e6;
}

SupplyFacts read_battery(FileReader& sysfs, const std::string& dir) {
    SupplyFacts out;
    out.kind = SupplyFacts::Kind::battery;
    out.status = status_of(read_text(sysfs, dir + "/status"));
    if (const auto percent = read_integer(sysfs, dir + "/capacity")) {
        // calibration may say a little more than 100
        if (*percent >= 0 && *percent <= 110) {
            out.capacity = std::min(100.0, static_cast<double>(*percent));
        }
    }
    const auto volts = read_micro(sysfs, dir + "/voltage_now");
    // the level changes with the voltage unless both are taken with the same one
    const auto nominal = read_micro(sysfs, dir + "/voltage_min_design");
    out.now_wh = watt_hours(sysfs, dir, "now", nominal ? nominal : volts);
    out.full_wh = watt_hours(sysfs, dir, "full", nominal ? nominal : volts);
    out.watts = magnitude(sysfs, dir + "/power_now");
    if (!out.watts && volts) {
        if (const auto amperes = magnitude(sysfs, dir + "/current_now")) {
            out.watts = *amperes * *volts;
        }
    }
    if (!out.capacity && out.now_wh && out.full_wh && *out.full_wh > 0) {
        out.capacity = std::min(100.0, 100 * *out.now_wh / *out.full_wh);
    }
    return out;
}

std::optional<double> level_of(std::span<const SupplyFacts> batteries) {
    double now = 0;
    double full = 0;
    double percents = 0;
    int counted = 0;
    bool sizes_known = true;
    for (const SupplyFacts& battery : batteries) {
        if (!battery.capacity) continue;
        ++counted;
        percents += *battery.capacity;
        if (battery.full_wh && *battery.full_wh > 0) {
            now += *battery.capacity / 100 * *battery.full_wh;
            full += *battery.full_wh;
        } else {
            sizes_known = false;
        }
    }
    if (counted == 0) return std::nullopt;
    return sizes_known ? 100 * now / full : percents / counted;
}

std::optional<bool> on_battery_of(std::optional<bool> ac, std::span<const SupplyFacts> batteries) {
    if (ac) return !*ac;
    bool known = false;
    for (const SupplyFacts& battery : batteries) {
        if (battery.status == SupplyFacts::Status::discharging) return true;
        if (battery.status != SupplyFacts::Status::unknown) known = true;
    }
    return known ? std::optional(false) : std::nullopt;
}

Battery add_up(std::span<const SupplyFacts> batteries, bool discharging) {
    Battery out;
    out.level = level_of(batteries);
    if (!discharging) return out;
    double watts = 0;
    double left = 0;
    bool left_known = true;
    for (const SupplyFacts& battery : batteries) {
        // the one that rests now is drawn from next
        if (battery.status == SupplyFacts::Status::discharging && battery.watts) {
            watts += *battery.watts;
        }
        if (battery.now_wh) {
            left += *battery.now_wh;
        } else {
            left_known = false;
        }
    }
    if (watts <= 0) return out;
    out.watts = watts;
    if (left_known) out.minutes_left = 60 * left / watts;
    return out;
}

}  // namespace

std::vector<SupplyFacts> read_supplies(FileReader& sysfs) {
    std::vector<SupplyFacts> out;
    for (const std::string& name : sysfs.list("class/power_supply")) {
        const std::string dir = "class/power_supply/" + name;
        if (read_text(sysfs, dir + "/scope") == "Device") continue;
        const std::string type = read_text(sysfs, dir + "/type");
        if (type == "Battery") {
            if (read_integer(sysfs, dir + "/present").value_or(1) == 0) continue;
            out.push_back(read_battery(sysfs, dir));
        } else if (type == "Mains" || type.starts_with("USB")) {
            SupplyFacts adapter;
            if (type != "Mains") adapter.kind = SupplyFacts::Kind::usb;
            if (const auto online = read_integer(sysfs, dir + "/online")) {
                // 2: online with programmable voltage
                if (*online >= 0 && *online <= 2) adapter.online = *online > 0;
            }
            out.push_back(adapter);
        }
    }
    return out;
}

PowerSupply combine(std::span<const SupplyFacts> supplies) {
    PowerSupply out;
    std::vector<SupplyFacts> batteries;
    std::optional<bool> mains;
    std::optional<bool> usb;
    for (const SupplyFacts& supply : supplies) {
        if (supply.kind == SupplyFacts::Kind::battery) {
            batteries.push_back(supply);
        } else if (supply.online) {
            auto& seen = supply.kind == SupplyFacts::Kind::mains ? mains : usb;
            seen = seen.value_or(false) || *supply.online;
        }
    }
    out.ac = mains ? mains : usb;
    out.on_battery = on_battery_of(out.ac, batteries);
    // a port that could take an adapter says nothing on a machine without a battery
    if (batteries.empty() && out.on_battery) out.on_battery = false;
    if (!batteries.empty()) out.battery = add_up(batteries, out.on_battery.value_or(false));
    return out;
}

}  // namespace ollama_proxy::monitors
