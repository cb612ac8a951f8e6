#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace ollama_proxy::support {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Milliseconds = std::chrono::milliseconds;

/// How long anything in a test may take that should happen at once. Generous: sanitizers.
inline constexpr Milliseconds kPatience{10000};

/// What was waited for did not happen in time: fails the test that does not catch it.
struct TimedOut : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Polls `condition` until it holds; false when it never did. For state that offers no wait.
[[nodiscard]] bool eventually(const std::function<bool()>& condition,
                              Milliseconds patience = kPatience);

/// Milliseconds from now to `deadline` for poll(2), never negative.
[[nodiscard]] int left_until(TimePoint deadline);

}  // namespace ollama_proxy::support
