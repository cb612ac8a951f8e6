#include "router/ewma.hpp"

#include <algorithm>
#include <cmath>

namespace ollama_proxy::router {
namespace {

double left_after(Clock::duration pause, const HalfLife& half_life) {
    const double halvings = std::chrono::duration<double>(pause).count() /
                            std::chrono::duration<double>(half_life.time).count();
    return std::exp2(-std::max(0.0, halvings));
}

double left_after_one(const HalfLife& half_life) { return std::exp2(-1 / half_life.count); }

}  // namespace

void Ewma::add(double value, TimePoint now, const HalfLife& half_life) {
    if (weight > 0) {
        // however long the pause: one observation alone does not outweigh all that came before
        const double total = weight + prior_weight;
        const double left = std::max(left_after(now - last, half_life), std::min(1.0, 1 / total));
        weight *= left;
        prior_weight *= left;
    }
    const double left = left_after_one(half_life);
    weight = weight * left + 1;
    prior_weight *= left;
    mean += (value - mean) / weight;
    last = now;
}

double Ewma::with_prior(double prior) const {
    if (weight <= 0) return prior;
    return (mean * weight + prior * prior_weight) / (weight + prior_weight);
}

std::optional<double> Ewma::measured() const {
    if (weight <= 0) return std::nullopt;
    return mean;
}

void ErrorRate::add(bool failed, TimePoint now, const HalfLife& half_life) {
    const double left = left_after(now - last, half_life) * left_after_one(half_life);
    failures = failures * left + (failed ? 1 : 0);
    weight = weight * left + 1;
    last = now;
}

double ErrorRate::share(TimePoint now, const HalfLife& half_life) const {
    if (failures <= 0) return 0;
    const double left = left_after(now - last, half_life);
    return failures * left / (weight * left + kPriorWeight);
}

}  // namespace ollama_proxy::router
