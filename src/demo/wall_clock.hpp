#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ollama_proxy::demo {

using WallTime = std::chrono::system_clock::time_point;

/// Writes times as Ollama does, "2025-01-31T12:00:00.123456789Z". Keeps the rendered second, so
/// that a stamp per token costs nine digits. Thread: one.
class StampWriter {
  public:
    void append(std::string& out, WallTime at);
    [[nodiscard]] std::string text(WallTime at);

  private:
    std::int64_t second_ = -1;
    std::string rendered_;  ///< date and time of `second_`, without fraction
};

/// `Date` header value of `at`.
[[nodiscard]] std::string http_date(WallTime at);

}  // namespace ollama_proxy::demo
