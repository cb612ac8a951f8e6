#pragma once

#include <atomic>
#include <future>
#include <thread>

namespace ollama_proxy::app {

/// SIGINT and SIGTERM as something to wait for. Construct before any other thread starts: the
/// signals are blocked in this thread and in those that it starts, and taken by one of its own.
/// The second one ends the process at once with 130 or 143. SIGHUP does not end it.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// Blocks until the first of them; returns its number. Once.
    int wait();

  private:
    void take();

    std::promise<int> first_;
    std::atomic<bool> done_{false};
    std::thread thread_;
};

}  // namespace ollama_proxy::app
