#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <functional>
#include <memory>

namespace ollama_proxy::router {

/// Whether there is work. It begins with the first request and ends when a second look, one second
/// apart, finds nothing in flight: a flag on the path of a request, a timer only while there is
/// work.
class Activity : public std::enable_shared_from_this<Activity> {
  public:
    using Count = std::function<std::size_t()>;  ///< in flight now
    using Tell = std::function<void(bool busy)>;

    Activity(boost::asio::io_context& control, Count in_flight, Tell tell)
        : control_(control),
          in_flight_(std::move(in_flight)),
          tell_(std::move(tell)),
          timer_(control) {}

    /// A request came. Any thread.
    void note() {
        if (busy_.load(std::memory_order_relaxed) || busy_.exchange(true)) return;
        begin();
    }
    /// Tells nothing any more. Thread: control.
    void stop();

  private:
    void begin();
    void look_later();
    void look();

    boost::asio::io_context& control_;
    const Count in_flight_;
    const Tell tell_;
    std::atomic<bool> busy_{false};
    boost::asio::steady_timer timer_;
    bool idle_before_ = false;
    bool stopped_ = false;
};

}  // namespace ollama_proxy::router
