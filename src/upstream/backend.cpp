#include "ollama_proxy/upstream/backend.hpp"

#include "upstream/look_up.hpp"

#include <algorithm>

namespace ollama_proxy::upstream {
namespace {

/// More models than this that answered 404 since the last catalog: the oldest are asked again.
constexpr std::size_t kMaxAbsent = 256;
/// However long a backend asks to be left alone: it is asked again after this.
constexpr std::chrono::seconds kLongestPark{60};

std::uint64_t next_serial() {
    static std::atomic<std::uint64_t> serial{0};
    return serial.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::uint32_t bit_of(codec::Api api) { return std::uint32_t{1} << static_cast<unsigned>(api); }

}  // namespace

std::string_view to_string(Health health) {
    switch (health) {
        case Health::unknown:
            return "unknown";
        case Health::healthy:
            return "healthy";
        case Health::unhealthy:
            break;
    }
    return "unhealthy";
}

Backend::Backend(config::Backend settings, const config::CircuitBreaker& breaker)
    : settings_(std::move(settings)), serial_(next_serial()), breaker_(breaker) {
    // so that a request in the first milliseconds of the daemon is not turned away
    set_addresses(std::make_shared<const Addresses>(known_addresses(settings_.endpoint)));
}

void Backend::inherit(const Backend& former, bool breaker_too) {
    health_.store(former.health(), std::memory_order_relaxed);
    catalog_.store(former.catalog());
    addresses_.store(former.addresses());
    lacking_.store(former.lacking_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    requests_.store(former.requests(), std::memory_order_relaxed);
    failures_.store(former.failures(), std::memory_order_relaxed);
    parked_until_.store(former.parked_until_.load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
    back_since_.store(former.back_since_.load(std::memory_order_relaxed),
                      std::memory_order_relaxed);
    std::scoped_lock lock(mutex_, former.mutex_);
    health_reason_ = former.health_reason_;
    absent_ = former.absent_;
    any_absent_.store(!absent_.empty(), std::memory_order_release);
    if (!breaker_too) return;
    breaker_ = former.breaker_;
    breaker_.forget_probes();  // their verdicts go to the former one
    calm_.store(former.calm_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

std::string Backend::health_reason() const {
    std::lock_guard lock(mutex_);
    return health_reason_;
}

bool Backend::set_health(Health health, std::string reason) {
    {
        std::lock_guard lock(mutex_);
        health_reason_.swap(reason);
    }
    const Health before = health_.exchange(health, std::memory_order_relaxed);
    if (before == Health::unhealthy && health == Health::healthy) is_back_at(Clock::now());
    return before != health;
}

void Backend::mark_absent(std::string_view model_key) {
    std::lock_guard lock(mutex_);
    if (std::find(absent_.begin(), absent_.end(), model_key) != absent_.end()) return;
    if (absent_.size() >= kMaxAbsent) absent_.erase(absent_.begin());
    absent_.emplace_back(model_key);
    any_absent_.store(true, std::memory_order_release);
}

bool Backend::is_absent(std::string_view model_key) const {
    if (!any_absent_.load(std::memory_order_acquire)) return false;
    std::lock_guard lock(mutex_);
    return std::find(absent_.begin(), absent_.end(), model_key) != absent_.end();
}

void Backend::clear_absent() {
    if (!any_absent_.load(std::memory_order_acquire)) return;
    std::lock_guard lock(mutex_);
    absent_.clear();
    any_absent_.store(false, std::memory_order_release);
}

bool Backend::lacks(codec::Api api) const {
    return (lacking_.load(std::memory_order_relaxed) & bit_of(api)) != 0;
}

void Backend::mark_lacking(codec::Api api) {
    lacking_.fetch_or(bit_of(api), std::memory_order_relaxed);
}

bool Backend::breaker_would_allow(TimePoint now) const {
    if (calm_.load(std::memory_order_relaxed)) return true;
    std::lock_guard lock(mutex_);
    return breaker_.would_allow(now);
}

bool Backend::breaker_acquire(TimePoint now) {
    if (calm_.load(std::memory_order_relaxed)) return true;
    std::lock_guard lock(mutex_);
    return breaker_.try_acquire(now);
}

void Backend::record(Outcome outcome, TimePoint now) {
    requests_.fetch_add(1, std::memory_order_relaxed);
    if (outcome == Outcome::failure) failures_.fetch_add(1, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    switch (outcome) {
        case Outcome::success:
            breaker_.on_success(now);
            break;
        case Outcome::failure:
            breaker_.on_failure(now);
            break;
        case Outcome::cancelled:
        case Outcome::busy:
            breaker_.on_cancelled(now);
            break;
    }
    const bool was_calm = calm_.load(std::memory_order_relaxed);
    if (outcome == Outcome::failure || !was_calm) {
        calm_.store(breaker_.calm(now), std::memory_order_relaxed);
    }
}

void Backend::record_cut(TimePoint now) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    breaker_.on_failure(now);
    calm_.store(false, std::memory_order_relaxed);
}

BreakerState Backend::breaker_state(TimePoint now) const {
    std::lock_guard lock(mutex_);
    return breaker_.state(now);
}

TimePoint Backend::breaker_retry_at() const {
    std::lock_guard lock(mutex_);
    return breaker_.retry_at();
}

double Backend::error_share(TimePoint now) const {
    if (calm_.load(std::memory_order_relaxed)) return 0;
    std::lock_guard lock(mutex_);
    return breaker_.error_share(now);
}

void Backend::park_until(TimePoint until) {
    const auto wanted = std::min(until, Clock::now() + kLongestPark).time_since_epoch().count();
    // of two answers that came at once, the longer pause counts
    auto current = parked_until_.load(std::memory_order_relaxed);
    while (current < wanted &&
           !parked_until_.compare_exchange_weak(current, wanted, std::memory_order_relaxed)) {
    }
    is_back_at(parked_until());
}

bool Backend::is_parked(TimePoint now) const { return now < parked_until(); }

TimePoint Backend::parked_until() const {
    return TimePoint(Clock::duration(parked_until_.load(std::memory_order_relaxed)));
}

std::shared_ptr<Backend> BackendSet::find(std::string_view id) const {
    for (const auto& backend : backends) {
        if (backend->id() == id) return backend;
    }
    return nullptr;
}

}  // namespace ollama_proxy::upstream
