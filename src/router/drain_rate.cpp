#include "router/drain_rate.hpp"

#include <algorithm>
#include <cmath>

namespace ollama_proxy::router {
namespace {

constexpr int kLongest = 60;

std::chrono::seconds second_of(TimePoint time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
}

}  // namespace

void DrainRate::note(TimePoint now) {
    any_ = true;
    const auto at = second_of(now);
    Second& second = seconds_[static_cast<std::size_t>(at.count()) % kSeconds];
    if (second.at != at) second = {at, 0};
    ++second.count;
}

int DrainRate::retry_after_s(std::size_t waiting, TimePoint now) const {
    if (!any_) return 1;
    const auto present = second_of(now);
    std::size_t drained = 0;
    auto oldest = present;
    for (const Second& second : seconds_) {
        const auto age = present - second.at;
        if (age.count() < 0 || age >= std::chrono::seconds(kSeconds)) continue;
        drained += second.count;
        oldest = std::min(oldest, second.at);
    }
    if (drained == 0) return waiting == 0 ? 1 : kLongest;
    const std::chrono::duration<double> since = now.time_since_epoch() - oldest;
    const double window = std::max(since.count(), 1.0);
    const double needed = static_cast<double>(waiting + 1) * window / static_cast<double>(drained);
    return static_cast<int>(std::clamp(std::ceil(needed), 1.0, static_cast<double>(kLongest)));
}

}  // namespace ollama_proxy::router
