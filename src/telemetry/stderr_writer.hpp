#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace ollama_proxy::telemetry {

/// Writes whole lines to one descriptor (standard error), never into each other. A reader that
/// does not read holds the writing thread up only until `give_up_after` has passed: then what is
/// left is dropped, so that the daemon can end. Thread: any.
class StderrWriter {
  public:
    explicit StderrWriter(int descriptor) : descriptor_(descriptor) {}

    /// One or more whole lines. False when they, or a part of them, could not be written.
    bool write(std::string_view lines);

    /// From now on a blocked descriptor is given up after this long in all (used when stopping).
    void give_up_after(std::chrono::milliseconds patience);
    /// Back to waiting without end.
    void be_patient();

    [[nodiscard]] std::uint64_t lost_writes() const {
        return lost_.load(std::memory_order_relaxed);
    }
    /// True when a person reads it: a terminal, and NO_COLOR is not set.
    [[nodiscard]] bool wants_colour() const;

  private:
    bool wait_writable() const;

    const int descriptor_;
    std::mutex mutex_;
    std::atomic<std::chrono::steady_clock::rep> give_up_at_{
        std::chrono::steady_clock::time_point::max().time_since_epoch().count()};
    std::atomic<std::uint64_t> lost_{0};
};

/// The one for descriptor 2; lives until the process ends.
[[nodiscard]] StderrWriter& stderr_writer();

}  // namespace ollama_proxy::telemetry
