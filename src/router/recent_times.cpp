#include "router/recent_times.hpp"

#include <algorithm>

namespace ollama_proxy::router {

void RecentTimes::add(double ms) { ms_[count_++ % kKept] = static_cast<float>(ms); }

std::optional<double> RecentTimes::percentile(unsigned percent) const {
    const std::size_t kept = std::min(count_, kKept);
    if (kept < kEnough) return std::nullopt;
    auto sorted = ms_;
    const std::size_t rank = std::clamp<std::size_t>((kept * percent + 99) / 100, 1, kept) - 1;
    const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<std::ptrdiff_t>(kept));
    return *at;
}

}  // namespace ollama_proxy::router
