#pragma once

#include <chrono>

namespace ollama_proxy {

/// All durations and deadlines: steady, so that a jump of the wall clock changes nothing.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Milliseconds = std::chrono::milliseconds;

inline constexpr TimePoint kNever = TimePoint::max();

[[nodiscard]] inline double to_ms(Clock::duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace ollama_proxy
