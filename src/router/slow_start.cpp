#include "router/slow_start.hpp"

#include <algorithm>

namespace ollama_proxy::router {

Capacity slow_start(const Capacity& full, TimePoint since, TimePoint now) {
    constexpr Milliseconds kStep{500};
    if (since == TimePoint{}) return full;
    const auto steps = std::max(now - since, Clock::duration::zero()) / kStep;
    const auto allowed = static_cast<unsigned>(std::min<Clock::rep>(steps, 1'000'000)) + 1;
    return {std::min(full.per_model, allowed), std::min(full.in_all, allowed)};
}

}  // namespace ollama_proxy::router
