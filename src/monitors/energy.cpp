#include "ollama_proxy/monitors/energy.hpp"

#include "monitors/energy_ledger.hpp"

namespace ollama_proxy::monitors {

std::string_view to_string(EnergySource source) {
    switch (source) {
        case EnergySource::nvml:
            return "nvml";
        case EnergySource::rapl:
            return "rapl";
        case EnergySource::hwmon:
            return "hwmon";
        case EnergySource::nvml_power:
            return "nvml-power";
        case EnergySource::hwmon_power:
            return "hwmon-power";
        case EnergySource::configured:
            break;
    }
    return "configured";
}

struct EnergyLedger::Work::State {
    std::shared_ptr<Impl> ledger;
    std::shared_ptr<Impl::Slot> slot;
    std::shared_ptr<EnergyMeter> meter;
    EnergyJob job;
};

EnergyLedger::Work::Work() = default;
EnergyLedger::Work::Work(Work&&) noexcept = default;
EnergyLedger::Work& EnergyLedger::Work::operator=(Work&& other) noexcept {
    if (this == &other) return *this;
    if (state_) (void)finish(0, Clock::now());
    state_ = std::move(other.state_);
    return *this;
}
EnergyLedger::Work::~Work() {
    if (state_) (void)finish(0, Clock::now());
}

void EnergyLedger::Work::tokens(std::uint64_t so_far) {
    if (state_) state_->meter->tokens(state_->job, so_far);
}

std::optional<EnergyCharge> EnergyLedger::Work::finish(std::uint64_t tokens, TimePoint now) {
    if (!state_) return std::nullopt;
    const std::unique_ptr<State> state = std::move(state_);
    EnergyCharge charge;
    charge.source = state->meter->end(state->job, now);
    charge.joules = state->job.joules;
    state->ledger->in_flight.fetch_sub(1);
    const bool known = charge.source != EnergySource::configured || state->job.configured_watts > 0;
    if (!known) return std::nullopt;
    state->slot->record(charge, tokens);
    return charge;
}

void EnergyLedger::Work::forget() {
    if (!state_) return;
    const std::unique_ptr<State> state = std::move(state_);
    (void)state->meter->end(state->job, Clock::now());
    state->ledger->in_flight.fetch_sub(1);
}

EnergyLedger::EnergyLedger(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

EnergyLedger::Work EnergyLedger::begin(std::string_view backend_id, TimePoint now) const {
    Work work;
    auto slot = impl_->slot(backend_id);
    if (!slot) return work;
    auto state = std::make_unique<Work::State>();
    state->ledger = impl_;
    {
        std::lock_guard lock(slot->mutex);
        state->meter = slot->meter;
        state->job.configured_watts = slot->configured_watts.value_or(0);
    }
    state->slot = std::move(slot);
    state->meter->begin(state->job, now);
    work.state_ = std::move(state);
    impl_->in_flight.fetch_add(1);
    // looked at first: what nobody writes stays in the caches of all workers
    if (!impl_->watched.load() && !impl_->watched.exchange(true)) {
        std::lock_guard lock(impl_->wake_mutex);
        if (impl_->wake) impl_->wake();
    }
    return work;
}

std::optional<BackendEnergy> EnergyLedger::of(std::string_view backend_id) const {
    const auto slot = impl_->slot(backend_id);
    if (!slot) return std::nullopt;
    std::lock_guard lock(slot->mutex);
    return slot->energy;
}

}  // namespace ollama_proxy::monitors
