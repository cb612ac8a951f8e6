#pragma once

#include <chrono>
#include <cstdint>

namespace ollama_proxy::efficiency {

/// Quiet hours and the history are about the user's day: the only places for the wall clock here.

/// Since local midnight.
[[nodiscard]] std::chrono::seconds local_time_of_day();
[[nodiscard]] std::int64_t unix_ms();

[[nodiscard]] inline unsigned hour_of(std::chrono::seconds time_of_day) {
    return static_cast<unsigned>(std::chrono::floor<std::chrono::hours>(time_of_day).count());
}

}  // namespace ollama_proxy::efficiency
