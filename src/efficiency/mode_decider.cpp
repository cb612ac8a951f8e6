#include "efficiency/mode_decider.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ollama_proxy::efficiency {
namespace {

using config::Mode;

std::string heat_reason(const Surroundings& around) {
    std::string reason = around.heat == Heat::critical ? "thermal-critical" : "thermal-high";
    if (around.hottest_c) reason += "-" + std::to_string(std::lround(*around.hottest_c));
    return reason;
}

}  // namespace

bool ModeDecider::follow_heat(const Surroundings& around, TimePoint now) {
    if (around.heat != Heat::unknown) heat_unknown_since_.reset();
    switch (around.heat) {
        case Heat::critical:
        case Heat::high: {
            // critical heat that has fallen to high has not recovered
            if (override_ && override_->heat >= around.heat) return false;
            override_ = Override{around.heat, heat_reason(around)};
            return true;
        }
        case Heat::warm:
            return false;
        case Heat::unknown:
            if (!heat_unknown_since_) heat_unknown_since_ = now;
            if (now - *heat_unknown_since_ < kUnknownHeatHold) return false;
            break;
        case Heat::normal:
            break;
    }
    return std::exchange(override_, std::nullopt).has_value();
}

Verdict ModeDecider::verdict(const Wishes& wishes, const Surroundings& around) const {
    if (override_ && override_->heat == Heat::critical) {
        return {Mode::ultra_efficiency, override_->reason, power_band(around, band_)};
    }
    if (wishes.mode != Mode::automatic) return {wishes.mode, "user", power_band(around, band_)};
    if (override_) {
        // more frugal than what heat asks for stays: an empty battery does not fill in the heat
        Verdict cool = auto_verdict(around, wishes.quiet_now, band_);
        if (cool.effective == Mode::ultra_efficiency) return cool;
        return {Mode::quiet, override_->reason, cool.band};
    }
    return auto_verdict(around, wishes.quiet_now, band_);
}

ModeDecider::Outcome ModeDecider::look(const Wishes& wishes, const Surroundings& around,
                                       TimePoint now) {
    const bool heat_changed = follow_heat(around, now);
    const bool supply_changed = around.on_battery != on_battery_;
    on_battery_ = around.on_battery;
    Verdict next = verdict(wishes, around);
    const bool at_once = !looked_ || wishes.by_user || heat_changed || supply_changed;
    looked_ = true;

    const bool holding = override_ && heat_unknown_since_;
    const TimePoint end_of_hold = holding ? *heat_unknown_since_ + kUnknownHeatHold : kNever;
    if (next.effective != effective_ && !at_once) {
        if (!pending_ || pending_->mode != next.effective) {
            pending_ = Pending{next.effective, now};
        }
        const TimePoint lasted = pending_->since + kDwell;
        if (now < lasted) return {effective_, reason_, std::min(lasted, end_of_hold)};
    }
    pending_.reset();
    effective_ = next.effective;
    reason_ = std::move(next.reason);
    // the stickiness of a band counts from when it took effect: a reading of one moment does not
    band_ = next.band;
    return {effective_, reason_, end_of_hold};
}

}  // namespace ollama_proxy::efficiency
