#include "router/learned.hpp"

#include <algorithm>
#include <cmath>

namespace ollama_proxy::router {
namespace {

/// Hardware does not change from one minute to the next, what else runs on it does.
constexpr HalfLife kSpeed{20, std::chrono::hours(6)};
/// A model loads seldom, and always from the same disk.
constexpr HalfLife kLoading{5, std::chrono::hours(7 * 24)};
/// A fault is over when it is over.
constexpr HalfLife kErrors{20, std::chrono::seconds(60)};

constexpr double kLongestMs = 3600 * 1000.0;
constexpr double kFastest = 1e6;     ///< tokens per second
constexpr double kMostJoules = 1e6;  ///< per token

void add_to(Ewma& mean, const std::optional<double>& value, double limit, TimePoint now,
            const HalfLife& half_life) {
    if (!value || !std::isfinite(*value) || *value < 0) return;
    mean.add(std::min(*value, limit), now, half_life);
}

}  // namespace

void LearnedModel::add(const Observation& observation, TimePoint now) {
    add_to(warm_ms, observation.warm_ms, kLongestMs, now, kSpeed);
    add_to(cold_ms, observation.cold_ms, kLongestMs, now, kLoading);
    add_to(load_ms, observation.load_ms, kLongestMs, now, kLoading);
    add_to(tokens_per_second, observation.tokens_per_second, kFastest, now, kSpeed);
    add_to(joules_per_token, observation.joules_per_token, kMostJoules, now, kSpeed);
    if (observation.warm_ms && *observation.warm_ms >= 0) recent_warm_ms.add(*observation.warm_ms);
    if (observation.failed) errors.add(*observation.failed, now, kErrors);
    used = now;
}

double LearnedModel::latency_ms(bool cold, double configured_ms) const {
    const bool configured = configured_ms > 0;
    const double warm =
        configured ? warm_ms.with_prior(configured_ms) : warm_ms.measured().value_or(0);
    if (!cold) return warm;
    const double expected = warm + load_ms.measured().value_or(0);
    return expected > 0 ? cold_ms.with_prior(expected) : cold_ms.measured().value_or(0);
}

double LearnedModel::error_share(TimePoint now) const { return errors.share(now, kErrors); }

void LearnedBackend::add(std::string_view model, const Observation& observation, TimePoint now) {
    {
        std::lock_guard lock(mutex_);
        auto& models = state_.models;
        auto found = models.find(model);
        if (found == models.end() && models.size() >= kMaxModels) {
            models.erase(std::ranges::min_element(
                models, {}, [](const auto& entry) { return entry.second.used; }));
        }
        if (found == models.end()) found = models.try_emplace(std::string(model)).first;
        found->second.add(observation, now);
        Observation over_all = observation;
        if (!over_all.warm_ms) over_all.warm_ms = observation.cold_ms;  // one mean of all waits
        state_.all.add(over_all, now);
    }
    signal_->changed();
}

LearnedBackend::Estimate LearnedBackend::estimate(std::string_view model, bool cold,
                                                  double configured_ms, TimePoint now) const {
    std::lock_guard lock(mutex_);
    const auto found = state_.models.find(model);
    if (found == state_.models.end()) return {configured_ms, 0, std::nullopt};
    const LearnedModel& known = found->second;
    return {known.latency_ms(cold, configured_ms), known.error_share(now),
            known.load_ms.measured()};
}

std::optional<double> LearnedBackend::first_token_ms(std::string_view model,
                                                     unsigned percent) const {
    std::lock_guard lock(mutex_);
    const auto found = state_.models.find(model);
    if (found == state_.models.end()) return std::nullopt;
    return found->second.recent_warm_ms.percentile(percent);
}

LearnedBackend::Summary LearnedBackend::summary(double configured_ms,
                                                double configured_speed) const {
    std::lock_guard lock(mutex_);
    const Ewma& speed = state_.all.tokens_per_second;
    return {state_.all.latency_ms(false, configured_ms), state_.all.warm_ms.measured(),
            configured_speed > 0 ? speed.with_prior(configured_speed) : speed.measured(),
            state_.all.joules_per_token.measured()};
}

LearnedState LearnedBackend::state() const {
    std::lock_guard lock(mutex_);
    return state_;
}

Milliseconds head_timeout(Milliseconds configured, Milliseconds whole,
                          std::optional<double> load_ms) {
    if (!load_ms) return configured;
    const Milliseconds longer = configured + Milliseconds(std::llround(*load_ms * 2));
    return std::max(configured, std::min(longer, whole));
}

}  // namespace ollama_proxy::router
