#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <functional>
#include <memory>

namespace ollama_proxy::app {

/// Tells the service manager twice per interval that the daemon lives: only when every worker has
/// answered since the last time, and from the control thread, so that none of them can hang unseen.
/// Thread: control.
class Watchdog {
  public:
    Watchdog(boost::asio::io_context& control, runtime::WorkerPool& workers,
             std::function<void()> alive);

    /// Nothing happens for an interval of 0.
    void start(Milliseconds interval);
    void stop();

  private:
    void tick();

    runtime::WorkerPool& workers_;
    std::function<void()> alive_;
    boost::asio::steady_timer timer_;
    Milliseconds period_{0};
    std::shared_ptr<std::atomic<std::size_t>> silent_;  ///< workers that have not answered yet
};

}  // namespace ollama_proxy::app
