#include "upstream/probe_schedule.hpp"

#include <algorithm>

namespace ollama_proxy::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kFirstBackOff{1};
constexpr seconds kLongestBackOff{30};
/// A backend that stayed up for this long starts anew with a short back-off.
constexpr seconds kStable{60};
/// Clouds count requests, and their health is the provider's concern.
constexpr seconds kCloudInterval{60};
constexpr milliseconds kUrgentGap{25};
constexpr int kBusyProbesPerCatalog = 6;
constexpr int kIdleProbesPerCatalog = 5;

Clock::duration soon(const config::Health& settings) {
    return std::min<Clock::duration>(kFirstBackOff, settings.interval);
}

}  // namespace

bool is_busy(TimePoint now, TimePoint last_request) {
    return last_request != kNoRequestYet && now - last_request < kBusyFor;
}

ProbeSchedule::ProbeSchedule(Health known) : health_(known), back_off_(kFirstBackOff) {}

Health ProbeSchedule::on_result(ProbeResult result, TimePoint now, const config::Health& settings) {
    probed_ = true;
    last_probe_ = now;
    last_result_ = result;
    if (result == ProbeResult::ok) {
        failures_ = 0;
        ++successes_;
        if (health_ == Health::unknown) health_ = Health::healthy;
        if (health_ == Health::unhealthy && successes_ >= settings.healthy_threshold) {
            health_ = Health::healthy;
            recovered_before_ = true;
            recovered_at_ = now;
        }
        return health_;
    }
    successes_ = 0;
    ++failures_;
    if (health_ == Health::unhealthy) {
        back_off_ = std::min<Clock::duration>(back_off_ * 2, kLongestBackOff);
    } else if (failures_ >= settings.unhealthy_threshold) {
        const bool flapping = recovered_before_ && now - recovered_at_ < kStable;
        back_off_ =
            flapping ? std::min<Clock::duration>(back_off_ * 2, kLongestBackOff) : soon(settings);
        health_ = Health::unhealthy;
    }
    return health_;
}

TimePoint ProbeSchedule::next_due(TimePoint now, TimePoint last_request,
                                  const config::Health& settings, config::Hardware hardware) const {
    if (!probed_) return now;
    if (last_result_ == ProbeResult::ok) {
        if (health_ != Health::healthy) return last_probe_ + soon(settings);
        if (hardware == config::Hardware::cloud) return last_probe_ + kCloudInterval;
        return last_probe_ +
               (is_busy(now, last_request) ? settings.interval : settings.idle_interval);
    }
    if (health_ == Health::unhealthy) return last_probe_ + back_off_;
    // A refusal is certain and found out fast. A healthy server that is late may only be busy.
    const bool hurry = health_ == Health::unknown || last_result_ == ProbeResult::refused;
    return last_probe_ + (hurry ? soon(settings) : settings.interval);
}

TimePoint ProbeSchedule::next_due_urgent() const {
    return probed_ ? last_probe_ + kUrgentGap : TimePoint{};
}

TimePoint next_catalog_due(TimePoint attempted, bool succeeded, bool busy,
                           const config::Health& settings) {
    if (!succeeded) return attempted + settings.interval;
    return attempted + (busy ? settings.interval * kBusyProbesPerCatalog
                             : settings.idle_interval * kIdleProbesPerCatalog);
}

}  // namespace ollama_proxy::upstream
