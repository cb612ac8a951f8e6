#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <array>
#include <cstddef>

namespace ollama_proxy::router {

/// How fast the queue was emptied in the last seconds. Pure; not thread-safe.
class DrainRate {
  public:
    /// One waiter got a slot.
    void note(TimePoint now);
    /// Whole seconds, 1..60, until `waiting` waiters and one more are through at the rate just
    /// seen; 60 when some wait and none got through lately, 1 when none ever did.
    [[nodiscard]] int retry_after_s(std::size_t waiting, TimePoint now) const;

  private:
    static constexpr std::size_t kSeconds = 10;
    struct Second {
        std::chrono::seconds at{-1};
        std::size_t count = 0;
    };
    std::array<Second, kSeconds> seconds_;
    bool any_ = false;  ///< one was noted, ever
};

}  // namespace ollama_proxy::router
