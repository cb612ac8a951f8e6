#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/config/config.hpp"

#include <atomic>
#include <mutex>
#include <string>
#include <unordered_map>

namespace ollama_proxy::access {

/// A token bucket per client: `rate` requests a second, `burst` at once. Bounded: with more
/// clients than it can remember, the ones whose buckets are full again are forgotten.
/// Thread: any; pure but for its lock.
class RateLimiter {
  public:
    explicit RateLimiter(const config::RateLimit& settings) { configure(settings); }

    /// Takes effect with the next request of each client.
    void configure(const config::RateLimit& settings);

    /// 0 = go ahead; else the seconds after which the next request will pass.
    [[nodiscard]] int take(const std::string& client, TimePoint now);

  private:
    static constexpr std::size_t kMaxClients = 10000;
    struct Bucket {
        double tokens;
        TimePoint at;
    };
    void forget_full(TimePoint now);
    [[nodiscard]] double level(const Bucket& bucket, TimePoint now) const;

    std::atomic<bool> enabled_{false};
    std::mutex mutex_;  ///< the next two
    config::RateLimit settings_;
    std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace ollama_proxy::access
