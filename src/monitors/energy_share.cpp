#include "monitors/energy_share.hpp"

#include <algorithm>
#include <utility>

namespace ollama_proxy::monitors {
namespace {

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

double EnergyShare::watts() const {
    if (measured_watts_) return *measured_watts_;
    return jobs_.empty() ? 0 : configured_sum_ / static_cast<double>(jobs_.size());
}

void EnergyShare::tokens(EnergyJob& job, std::uint64_t so_far) {
    job.tokens.store(so_far, std::memory_order_relaxed);
    if (!streaming_.load(std::memory_order_relaxed)) {
        streaming_.store(true, std::memory_order_relaxed);
    }
}

/// Gives a request its part of what was drawn evenly.
void EnergyShare::take_even(EnergyJob& job) const {
    const double more = even_ - std::exchange(job.even_before, even_);
    job.joules += more;
    job.in_interval += more;
}

void EnergyShare::draw(double joules) {
    if (streaming_.load(std::memory_order_relaxed)) {
        distribute(joules);
    } else {
        even_ += joules / static_cast<double>(jobs_.size());
    }
    charged_ += joules;
}

/// By the tokens that came since the last time; requests without any yet (their prompt is being
/// read, or their answer comes whole) count as one of those present.
void EnergyShare::distribute(double joules) {
    const auto everybody = static_cast<double>(jobs_.size());
    double tokens = 0;
    double silent = 0;
    // a first token that comes from now on is told anew
    streaming_.store(false, std::memory_order_relaxed);
    for (EnergyJob* job : jobs_) {
        take_even(*job);
        const std::uint64_t so_far = job->tokens.load(std::memory_order_relaxed);
        if (so_far == 0) silent += 1;
        tokens += static_cast<double>(so_far - job->counted);
    }
    if (silent < everybody) streaming_.store(true, std::memory_order_relaxed);
    for (EnergyJob* job : jobs_) {
        const std::uint64_t so_far = job->tokens.load(std::memory_order_relaxed);
        const auto fresh = static_cast<double>(so_far - job->counted);
        double share = 1 / everybody;
        // a token that came since the sum was made waits for the next time
        if (tokens > 0 && so_far > 0) {
            share = std::min(1.0, fresh / tokens) * (everybody - silent) / everybody;
        }
        job->counted = so_far;
        job->joules += joules * share;
        job->in_interval += joules * share;
    }
}

void EnergyShare::advance(TimePoint now) {
    if (!jobs_.empty() && now > at_) draw(watts() * seconds(now - at_));
    at_ = std::max(at_, now);
}

void EnergyShare::begin(EnergyJob& job, TimePoint now) {
    advance(now);
    if (jobs_.empty()) {
        // what was drawn before is nobody's
        interval_from_.reset();
        last_power_.reset();
        charged_ = 0;
        configured_sum_ = 0;
        even_ = 0;
    }
    job.even_before = even_;
    configured_sum_ += job.configured_watts;
    jobs_.push_back(&job);
}

bool EnergyShare::end(EnergyJob& job, TimePoint now) {
    advance(now);
    take_even(job);
    configured_sum_ -= job.configured_watts;
    std::erase(jobs_, &job);
    return measured_watts_.has_value();
}

/// Replaces what was guessed since the last reading by what was read.
void EnergyShare::settle(double joules, TimePoint now) {
    advance(now);
    // requests that have ended keep what they were charged; of the difference those still here
    // bear what falls to their part of the interval
    const double factor = charged_ > 0 ? joules / charged_ : 0;
    for (EnergyJob* job : jobs_) {
        take_even(*job);
        const double more = charged_ > 0 ? job->in_interval * (factor - 1)
                                         : joules / static_cast<double>(jobs_.size());
        job->joules = std::max(0.0, job->joules + more);
    }
    const double time = seconds(now - *interval_from_);
    if (time > 0) measured_watts_ = joules / time;
}

void EnergyShare::count(std::optional<double> joules, TimePoint now) {
    if (jobs_.empty()) return;
    if (joules && interval_from_) {
        settle(*joules, now);
    } else {
        advance(now);
    }
    interval_from_ = now;
    charged_ = 0;
    for (EnergyJob* job : jobs_) {
        take_even(*job);
        job->in_interval = 0;
    }
}

void EnergyShare::power(double watts, TimePoint now) {
    if (jobs_.empty()) return;
    std::optional<double> joules;
    if (last_power_ && interval_from_) {
        joules = (*last_power_ + watts) / 2 * seconds(now - *interval_from_);
    }
    count(joules, now);
    last_power_ = watts;
    measured_watts_ = watts;
}

}  // namespace ollama_proxy::monitors
