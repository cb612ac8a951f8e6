#include "monitors/energy_ledger.hpp"

#include "monitors/binding.hpp"

#include <algorithm>

namespace ollama_proxy::monitors {
namespace {

/// Weight of everything before, with each further request: half of it is gone after 7.
constexpr double kFade = 0.9;

}  // namespace

void EnergyMeter::begin(EnergyJob& job, TimePoint now) {
    std::lock_guard lock(mutex_);
    share_.begin(job, now);
}

EnergySource EnergyMeter::end(EnergyJob& job, TimePoint now) {
    std::lock_guard lock(mutex_);
    const bool measured = share_.end(job, now);
    if (!measured || !tap_) return EnergySource::configured;
    return tap_->source == EnergySource::nvml && !counts_ ? EnergySource::nvml_power : tap_->source;
}

bool EnergyMeter::works() const {
    std::lock_guard lock(mutex_);
    return share_.works();
}

void EnergyMeter::take(const TapReading& reading, TimePoint now) {
    const auto joules =
        before_ ? joules_between(*tap_, *before_, reading, now - before_at_) : std::nullopt;
    before_ = reading;
    before_at_ = now;
    std::lock_guard lock(mutex_);
    counts_ = !reading.counters.empty();
    if (counts_) {
        share_.count(joules, now);
    } else if (reading.watts) {
        share_.power(*reading.watts, now);
    }
}

void EnergyLedger::Impl::Slot::record(const EnergyCharge& charge, std::uint64_t tokens) {
    std::lock_guard lock(mutex);
    energy.joules[static_cast<std::size_t>(charge.source)] += charge.joules;
    energy.source = charge.source;
    if (tokens == 0) return;
    recent_joules = kFade * recent_joules + charge.joules;
    recent_tokens = kFade * recent_tokens + static_cast<double>(tokens);
    energy.joules_per_token = recent_joules / recent_tokens;
}

void EnergyLedger::Impl::configure(const config::Config& config) {
    std::lock_guard lock(mutex);
    std::erase_if(slots, [&](const auto& entry) {
        return std::ranges::none_of(config.backends, [&](const config::Backend& backend) {
            return backend.id == entry.first;
        });
    });
    for (const config::Backend& backend : config.backends) {
        auto& slot = slots[backend.id];
        if (!slot) slot = std::make_shared<Slot>();
        std::lock_guard inner(slot->mutex);
        slot->energy.backend_id = backend.id;
        slot->configured_watts.reset();
        if (backend.characteristics.power_known) {
            slot->configured_watts = backend.characteristics.power_watts;
        }
        if (!slot->meter) slot->meter = std::make_shared<EnergyMeter>(std::nullopt);
    }
}

void EnergyLedger::Impl::bind(const config::Config& config, const Readings& readings, bool nvml) {
    std::lock_guard lock(mutex);
    std::map<std::string, std::shared_ptr<EnergyMeter>> kept;
    for (const config::Backend& backend : config.backends) {
        const auto slot = slots.find(backend.id);
        if (slot == slots.end()) continue;
        std::lock_guard inner(slot->second->mutex);
        auto& meter = slot->second->meter;
        auto tap = tap_for(backend, readings, nvml);
        const bool asleep = std::ranges::any_of(
            parts_of(backend, readings.parts),
            [&](const std::size_t index) { return readings.parts[index].asleep; });
        if (!tap && asleep && meter->tap()) tap = meter->tap();
        if (tap) {
            const std::string key = tap->key();
            const auto known = meters.find(key);
            auto& mine = kept[key];
            if (!mine) {
                mine = known != meters.end() ? known->second
                                             : std::make_shared<EnergyMeter>(std::move(tap));
            }
            meter = mine;
        } else if (meter->tap()) {
            meter = std::make_shared<EnergyMeter>(std::nullopt);
        }
    }
    meters = std::move(kept);
}

std::shared_ptr<EnergyLedger::Impl::Slot> EnergyLedger::Impl::slot(std::string_view backend_id) {
    std::lock_guard lock(mutex);
    const auto found = slots.find(backend_id);
    return found == slots.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<EnergyMeter>> EnergyLedger::Impl::working() {
    std::vector<std::shared_ptr<EnergyMeter>> out;
    std::lock_guard lock(mutex);
    for (const auto& [key, meter] : meters) {
        if (meter->works()) {
            out.push_back(meter);
        } else {
            meter->pause();
        }
    }
    return out;
}

std::vector<BackendEnergy> EnergyLedger::Impl::totals() {
    std::vector<BackendEnergy> out;
    std::lock_guard lock(mutex);
    for (const auto& [id, slot] : slots) {
        std::lock_guard inner(slot->mutex);
        out.push_back(slot->energy);
    }
    return out;
}

}  // namespace ollama_proxy::monitors
