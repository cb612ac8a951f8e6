#include "ollama_proxy/upstream/circuit_breaker.hpp"

#include <algorithm>

namespace ollama_proxy::upstream {

std::string_view to_string(BreakerState state) {
    switch (state) {
        case BreakerState::closed:
            return "closed";
        case BreakerState::open:
            return "open";
        case BreakerState::half_open:
            return "half-open";
    }
    return "";
}

CircuitBreaker::CircuitBreaker(const config::CircuitBreaker& settings)
    : settings_(settings),
      bucket_length_(std::max<Clock::duration>(settings.window / kBuckets, Milliseconds(1))),
      open_for_(settings.open) {}

bool CircuitBreaker::try_acquire(TimePoint now) {
    if (!would_allow(now)) return false;
    if (state_ == BreakerState::closed) return true;
    if (state_ == BreakerState::open) {
        state_ = BreakerState::half_open;
        probes_ = 0;
        probe_limit_ = 1;
        probe_successes_ = 0;
    } else if (probe_lost(now)) {
        probes_ = 0;
    }
    ++probes_;
    last_probe_ = now;
    return true;
}

bool CircuitBreaker::would_allow(TimePoint now) const {
    switch (state_) {
        case BreakerState::closed:
            return true;
        case BreakerState::open:
            return now >= retry_at_;
        case BreakerState::half_open:
            return probes_ < probe_limit_ || probe_lost(now);
    }
    return false;
}

void CircuitBreaker::on_success(TimePoint now) {
    ++bucket_at(now).successes;
    if (state_ == BreakerState::closed) {
        consecutive_ = 0;
    } else if (state_ == BreakerState::half_open && probes_ > 0) {
        --probes_;
        probe_limit_ *= 2;
        if (++probe_successes_ >= kSuccessesToClose) close(now);
    }
}

void CircuitBreaker::on_failure(TimePoint now) {
    ++bucket_at(now).failures;
    if (state_ == BreakerState::closed) {
        ++consecutive_;
        if (too_many_failures(now)) open(now);
    } else if (state_ == BreakerState::half_open && probes_ > 0) {
        open(now);
    }
}

void CircuitBreaker::on_cancelled(TimePoint) {
    if (state_ == BreakerState::half_open && probes_ > 0) --probes_;
}

bool CircuitBreaker::calm(TimePoint now) const {
    // a failure that another worker has just booked counts, though its clock was read later
    const std::int64_t oldest = slot_of(now) - static_cast<std::int64_t>(kBuckets) + 1;
    return state_ == BreakerState::closed && consecutive_ == 0 &&
           std::ranges::none_of(buckets_, [&](const Bucket& bucket) {
               return bucket.slot >= oldest && bucket.failures > 0;
           });
}

BreakerState CircuitBreaker::state(TimePoint now) const {
    const bool due = state_ == BreakerState::open && now >= retry_at_;
    return due ? BreakerState::half_open : state_;
}

double CircuitBreaker::error_share(TimePoint now) const {
    constexpr double kImaginedSuccesses = 5;
    const Counts seen = counts(now);
    return static_cast<double>(seen.failures) /
           (static_cast<double>(seen.requests) + kImaginedSuccesses);
}

std::int64_t CircuitBreaker::slot_of(TimePoint now) const {
    return now.time_since_epoch() / bucket_length_;
}

CircuitBreaker::Bucket& CircuitBreaker::bucket_at(TimePoint now) {
    const std::int64_t slot = slot_of(now);
    Bucket& bucket = buckets_[static_cast<std::size_t>(slot) % kBuckets];
    if (bucket.slot != slot) bucket = {slot, 0, 0};
    return bucket;
}

CircuitBreaker::Counts CircuitBreaker::counts(TimePoint now) const {
    const std::int64_t newest = slot_of(now);
    const std::int64_t oldest = newest - static_cast<std::int64_t>(kBuckets) + 1;
    Counts sum;
    for (const Bucket& bucket : buckets_) {
        if (bucket.slot < oldest || bucket.slot > newest) continue;
        sum.requests += bucket.successes + std::uint64_t{bucket.failures};
        sum.failures += bucket.failures;
    }
    return sum;
}

/// A probe whose verdict never comes must not keep the backend away for ever.
bool CircuitBreaker::probe_lost(TimePoint now) const {
    return now - last_probe_ >= settings_.max_open;
}

bool CircuitBreaker::too_many_failures(TimePoint now) const {
    if (consecutive_ >= settings_.consecutive_failures) return true;
    const Counts seen = counts(now);
    return seen.requests >= settings_.min_requests &&
           seen.failures * 100 >= seen.requests * settings_.failure_percent;
}

void CircuitBreaker::open(TimePoint now) {
    // a backend that flaps is left alone longer each time, also when it closed in between
    const bool again = state_ == BreakerState::half_open || now < growth_until_;
    const Clock::duration longest = std::max(settings_.max_open, settings_.open);
    open_for_ =
        again ? std::min<Clock::duration>(open_for_ * 2, longest) : Clock::duration(settings_.open);
    state_ = BreakerState::open;
    retry_at_ = now + open_for_;
    consecutive_ = 0;
    probes_ = 0;
}

void CircuitBreaker::close(TimePoint now) {
    state_ = BreakerState::closed;
    consecutive_ = 0;
    probes_ = 0;
    // the failures that opened it have been judged; kept, the next one would open it again at once
    buckets_ = {};
    growth_until_ = now + settings_.window;
}

}  // namespace ollama_proxy::upstream
