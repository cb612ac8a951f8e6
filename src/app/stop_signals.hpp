#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace ollama_proxy::app {

/// SIGINT and SIGTERM as something to wait for. Construct before any other thread starts: the
/// signals are blocked in this thread and in those that it starts, and taken by one of its own.
/// The second one ends the process at once with 130 or 143. SIGHUP asks for a reload.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// Blocks until the first of them; returns its number. Once.
    int wait();

    /// Who hears of a SIGHUP, on the thread of the signals; at once where one came before. Nobody
    /// (an empty function): it is ignored, and a call that is under way has ended.
    void on_hangup(std::function<void()> hear);

  private:
    void take();

    std::promise<int> first_;
    std::atomic<bool> done_{false};
    std::mutex mutex_;  ///< the next two
    std::function<void()> on_hangup_;
    bool hung_up_ = false;  ///< while nobody heard
    std::thread thread_;
};

}  // namespace ollama_proxy::app
