#include "monitors/assembler.hpp"

#include "monitors/binding.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

void raise_to(std::optional<double>& best, std::optional<double> value) {
    if (value) best = std::max(best.value_or(*value), *value);
}

/// True for hardware that a fan of the board cools when it has none of its own.
bool shares_the_air(config::Hardware hardware) {
    return hardware == config::Hardware::cpu || hardware == config::Hardware::igpu ||
           hardware == config::Hardware::nvidia || hardware == config::Hardware::amd;
}

}  // namespace

/// All parts with what their sensors say.
struct Assembler::Heats {
    std::vector<Part> parts;
    std::vector<PartHeat> heats;
    std::optional<double> board_rpm;
    std::optional<double> board_percent;
};

void Assembler::take_power(const std::optional<Readings>& readings, const Moment& now,
                           SystemSnapshot& out) {
    const bool recent = power_ && now.steady - power_at_ <= now.keep;
    // while no adapter is online the machine runs on its battery: one that vanishes then, as after
    // a resume, is only out of sight and must not count as mains
    if (readings && (readings->power.battery || readings->power.ac.value_or(false))) {
        has_battery_ = readings->power.battery.has_value();
    }
    const bool lost = has_battery_ && !(readings && readings->power.battery);
    if (!readings || lost) {
        if (recent && power_->battery.has_value() == has_battery_) {
            out.power = *power_;
        } else if (lost) {
            out.power.battery.emplace();
        }
        if (readings && readings->power.ac) {  // offline: online, the battery would be gone
            out.power.ac = false;
            out.power.on_battery = true;
        }
        return;
    }
    out.power = readings->power;
    if (recent) {
        if (!out.power.on_battery && out.power.battery) out.power.on_battery = power_->on_battery;
        if (out.power.battery && !out.power.battery->level && power_->battery) {
            out.power.battery->level = power_->battery->level;
        }
    }
    const bool whole =
        !readings->power.battery || (readings->power.battery->level && readings->power.on_battery);
    if (!whole) return;
    power_ = readings->power;
    power_at_ = now.steady;
}

void Assembler::take_draws(const Readings& readings, std::span<const Part> parts, const Moment& now,
                           SystemSnapshot& out) {
    for (const Part& part : parts) {
        if (part.watts) out.draws.push_back({part.name(), *part.watts, part.power_source});
    }
    std::map<std::string, Drawn> drawn;
    for (const RaplDomain& domain : readings.rapl.domains) {
        const std::string& path = domain.counter.path;
        drawn[path] = {domain.counter.joules, now.steady};
        const auto before = drawn_.find(path);
        if (before == drawn_.end()) continue;
        const Clock::duration time = now.steady - before->second.at;
        const auto joules = counted_joules(before->second.joules, domain.counter.joules,
                                           domain.counter.wraps_at, time);
        const double seconds = std::chrono::duration<double>(time).count();
        if (!joules || seconds <= 0) continue;
        out.draws.push_back({domain.part, *joules / seconds, PowerSource::rapl});
    }
    drawn_ = std::move(drawn);
    if (const auto& battery = readings.power.battery; battery && battery->watts) {
        out.draws.push_back({"battery", *battery->watts, PowerSource::battery});
    }
}

DeviceReading Assembler::device_of(const config::Backend& backend, const Heats& heats,
                                   const config::Thermal& settings, const SystemSnapshot& machine,
                                   TimePoint now) {
    DeviceReading out;
    out.backend_id = backend.id;
    HeatLimits limits = heat_limits(settings, std::nullopt);
    bool slows_down =
        backend.hardware == config::Hardware::cpu && machine.cpu_throttled.value_or(false);
    bool own_fan = false;
    for (const std::size_t index : parts_of(backend, heats.parts)) {
        const Part& part = heats.parts[index];
        const PartHeat& heat = heats.heats[index];
        if (out.device.empty()) out.device = part.name();
        own_fan = own_fan || heat.has_fan;
        raise_to(out.fan_percent, heat.fan_percent);
        if (part.watts) out.watts = out.watts.value_or(0) + *part.watts;
        slows_down = slows_down || part.slows_down.value_or(false);
        const bool hotter =
            !out.temperature_c || (heat.celsius && *heat.celsius > *out.temperature_c);
        if (!hotter) continue;
        out.temperature_c = heat.celsius;
        out.state = heat.state;
        limits = heat_limits(settings, heat.crit);
    }
    if (!own_fan && shares_the_air(backend.hardware)) out.fan_percent = heats.board_percent;
    out.limit_c = limits.high;
    out.throttled =
        marks_[backend.id].update(out.temperature_c, limits.high, limits.recovery, slows_down, now);
    return out;
}

SystemSnapshot Assembler::assemble(std::optional<Readings> readings, const config::Config& config,
                                   const ExternalFacts& external, const Moment& now) {
    SystemSnapshot out;
    out.external = external;
    out.taken_at = now.steady;
    out.wall_time = now.wall;
    take_power(readings, now, out);
    Heats all;
    if (readings) all.parts = std::move(readings->parts);
    sensors_.complete(all.parts, now.steady);
    if (readings) {
        take_draws(*readings, all.parts, now, out);
        if (readings->throttle_count) {
            out.cpu_throttled = throttle_count_ && *readings->throttle_count > *throttle_count_;
        }
        throttle_count_ = readings->throttle_count;
    }

    for (const Part& part : all.parts) {
        const PartHeat heat = sensors_.take(part, now.keep, now.steady, out.sensors);
        if (part.kind == Part::Kind::cpu) raise_to(out.cpu_temperature_c, heat.celsius);
        if (part.kind == Part::Kind::gpu) raise_to(out.gpu_temperature_c, heat.celsius);
        if (part.kind == Part::Kind::board || part.kind == Part::Kind::cpu) {
            raise_to(all.board_rpm, heat.fan_rpm);
            raise_to(all.board_percent, heat.fan_percent);
        }
        raise_to(out.fan_rpm, heat.fan_rpm);
        raise_to(out.fan_percent, heat.fan_percent);
        all.heats.push_back(heat);
    }

    std::vector<HeatInput> inputs;
    for (std::size_t i = 0; i < all.parts.size(); ++i) {
        const Part& part = all.parts[i];
        const PartHeat& heat = all.heats[i];
        if (part.kind != Part::Kind::cpu && part.kind != Part::Kind::gpu) continue;
        inputs.push_back({part.key(), heat.celsius, heat.state == SensorState::ok, heat.crit,
                          heat.has_fan ? heat.fan_rpm : all.board_rpm});
    }
    out.thermal = thermal_.update(inputs, config.thermal, out.cpu_temperature_c,
                                  out.gpu_temperature_c, now.wall);

    for (const config::Backend& backend : config.backends) {
        out.devices.push_back(device_of(backend, all, config.thermal, out, now.steady));
    }
    std::erase_if(marks_, [&](const auto& entry) {
        return std::ranges::none_of(config.backends,
                                    [&](const auto& backend) { return backend.id == entry.first; });
    });
    return out;
}

}  // namespace ollama_proxy::monitors
