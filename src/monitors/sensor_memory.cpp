#include "monitors/sensor_memory.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

constexpr std::chrono::minutes kForget{10};

/// Raises `best` to `value`.
void raise_to(std::optional<double>& best, std::optional<double> value) {
    if (value) best = std::max(best.value_or(*value), *value);
}

/// The same part without a value.
Part emptied(Part part) {
    for (auto& temperature : part.temperatures) temperature.celsius.reset();
    for (auto& fan : part.fans) fan.rpm = fan.percent = std::nullopt;
    part.watts.reset();
    part.energy.reset();
    part.slows_down.reset();
    return part;
}

template <class Facts>
void add_lost(std::vector<Facts>& now, const std::vector<Facts>& before) {
    for (const Facts& lost : before) {
        const bool there =
            std::ranges::any_of(now, [&](const Facts& f) { return f.label == lost.label; });
        if (!there) now.push_back(lost);
    }
}

/// Chips that share their driver's name say where they are. A zone's label does so already.
void tell_apart(std::vector<Part>& parts) {
    std::map<std::string, int> bearers;
    for (const Part& part : parts) ++bearers[part.name()];
    for (Part& part : parts) {
        part.one_of_several = part.zone.empty() && !part.place.empty() && bearers[part.name()] > 1;
    }
}

}  // namespace

void SensorMemory::complete(std::vector<Part>& parts, TimePoint now) {
    for (Part& part : parts) {
        // asleep it may not even tell its driver
        if (part.asleep && part.driver.empty()) {
            for (const auto& [key, known] : parts_) {
                if (!part.pci.empty() && known.part.pci == part.pci)
                    part.driver = known.part.driver;
            }
        }
        const auto seen = parts_.find(part.key());
        if (seen != parts_.end() && !part.asleep) {
            add_lost(part.temperatures, seen->second.part.temperatures);
            add_lost(part.fans, seen->second.part.fans);
            part.first_is_main = part.first_is_main && seen->second.part.first_is_main;
        }
        parts_[part.key()] = {emptied(part), now};
    }
    std::erase_if(parts_, [&](const auto& entry) { return now - entry.second.at > kForget; });
    std::erase_if(values_, [&](const auto& entry) { return now - entry.second.at > kForget; });
    for (const auto& [key, seen] : parts_) {
        if (seen.at == now) continue;
        Part lost = seen.part;
        lost.asleep = false;
        parts.push_back(std::move(lost));
    }
    tell_apart(parts);
}

Sensor SensorMemory::recall(const Part& part, const std::string& label, SensorKind kind,
                            std::optional<double> value, std::optional<double>& extra,
                            Clock::duration keep, TimePoint now) {
    Sensor sensor;
    sensor.name = part.name() + " " + label;
    const std::string key = part.key() + " " + label;
    sensor.kind = kind;
    if (value) {
        values_[key] = {value, extra, now};
        sensor.value = value;
        sensor.state = SensorState::ok;
        sensor.read_at = now;
        return sensor;
    }
    const auto last = values_.find(key);
    if (last == values_.end() || now - last->second.at > keep) return sensor;
    sensor.value = last->second.value;
    extra = last->second.extra;
    sensor.state = SensorState::stale;
    sensor.read_at = last->second.at;
    return sensor;
}

PartHeat SensorMemory::take(const Part& part, Clock::duration keep, TimePoint now,
                            std::vector<Sensor>& out) {
    PartHeat heat;
    if (part.asleep) {
        heat.state = SensorState::asleep;
        Sensor sensor;
        sensor.name = part.name();
        sensor.state = SensorState::asleep;
        out.push_back(std::move(sensor));
        return heat;
    }
    for (std::size_t i = 0; i < part.temperatures.size(); ++i) {
        const TemperatureFacts& facts = part.temperatures[i];
        auto crit = facts.crit;
        Sensor sensor =
            recall(part, facts.label, SensorKind::temperature, facts.celsius, crit, keep, now);
        const bool counts = part.first_is_main
                                ? i == 0
                                : sensor.value && (!heat.celsius || *sensor.value > *heat.celsius);
        if (counts) {
            heat.celsius = sensor.value;
            heat.crit = crit;
            heat.state = sensor.state;
        }
        out.push_back(std::move(sensor));
    }
    for (const FanFacts& facts : part.fans) {
        auto percent = facts.percent;
        heat.has_fan = true;
        if (!facts.rpm && facts.percent) {  // only its percentage is known
            raise_to(heat.fan_percent, percent);
            continue;
        }
        Sensor sensor = recall(part, facts.label, SensorKind::fan, facts.rpm, percent, keep, now);
        raise_to(heat.fan_rpm, sensor.value);
        if (sensor.value) raise_to(heat.fan_percent, percent);
        out.push_back(std::move(sensor));
    }
    if (part.watts || !part.watts_path.empty() || values_.contains(part.key() + " power")) {
        std::optional<double> none;
        out.push_back(recall(part, "power", SensorKind::power, part.watts, none, keep, now));
    }
    return heat;
}

}  // namespace ollama_proxy::monitors
