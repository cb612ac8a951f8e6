#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace ollama_proxy::router {

/// The last few times of something, for a percentile of them. Plain values.
class RecentTimes {
  public:
    static constexpr std::size_t kKept = 64;
    /// Fewer say nothing about what is unusual.
    static constexpr std::size_t kEnough = 16;

    void add(double ms);
    /// The time that `percent` (1..100) of them did not exceed (nearest rank); nothing while there
    /// are too few.
    [[nodiscard]] std::optional<double> percentile(unsigned percent) const;

  private:
    std::array<float, kKept> ms_{};
    std::size_t count_ = 0;  ///< of all that were added
};

}  // namespace ollama_proxy::router
