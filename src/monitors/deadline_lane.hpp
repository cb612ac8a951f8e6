#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace ollama_proxy::monitors {

/// Runs jobs that may hang, one after another, on a thread of its own. Whoever waits gives up after
/// a limit; the thread that hangs is then left behind, ends when its job returns, and the next job
/// gets another thread, as long as not more than `kMaxHung` hang.
/// A job must own what it touches: it may outlive the lane. Thread: all calls from one.
class DeadlineLane {
  public:
    static constexpr int kMaxHung = 4;

    explicit DeadlineLane(std::string thread_name);
    /// Waits for nobody: a thread that hangs ends by itself.
    ~DeadlineLane();
    DeadlineLane(const DeadlineLane&) = delete;
    DeadlineLane& operator=(const DeadlineLane&) = delete;

    /// True when `job` has returned within `limit`. False: it hangs, or too many others do and it
    /// was not begun.
    [[nodiscard]] bool run(std::function<void()> job, Clock::duration limit);

    /// Threads left behind whose job has not returned.
    [[nodiscard]] int hung() const;

  private:
    struct Lane;
    std::string name_;
    std::shared_ptr<Lane> lane_;  ///< of the thread that is waiting for a job, if any
    std::shared_ptr<std::atomic<int>> hung_;
};

}  // namespace ollama_proxy::monitors
