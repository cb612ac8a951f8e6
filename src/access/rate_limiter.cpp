#include "ollama_proxy/access/rate_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace ollama_proxy::access {

void RateLimiter::configure(const config::RateLimit& settings) {
    std::lock_guard lock(mutex_);
    settings_ = settings;
    enabled_.store(settings.enabled, std::memory_order_relaxed);
}

double RateLimiter::level(const Bucket& bucket, TimePoint now) const {
    const double seconds = std::chrono::duration<double>(now - bucket.at).count();
    return std::min<double>(settings_.burst, bucket.tokens + seconds * settings_.rate);
}

void RateLimiter::forget_full(TimePoint now) {
    std::erase_if(buckets_,
                  [&](const auto& entry) { return level(entry.second, now) >= settings_.burst; });
    // an attack from many addresses: start over rather than grow
    if (buckets_.size() >= kMaxClients) buckets_.clear();
}

int RateLimiter::take(const std::string& client, TimePoint now) {
    if (!enabled_.load(std::memory_order_relaxed)) return 0;
    std::lock_guard lock(mutex_);
    if (buckets_.size() >= kMaxClients) forget_full(now);
    auto [at, is_new] = buckets_.try_emplace(client, Bucket{double(settings_.burst), now});
    Bucket& bucket = at->second;
    bucket.tokens = level(bucket, now);
    bucket.at = now;
    if (bucket.tokens < 1) {
        return std::max(1, static_cast<int>(std::ceil((1 - bucket.tokens) / settings_.rate)));
    }
    bucket.tokens -= 1;
    return 0;
}

}  // namespace ollama_proxy::access
