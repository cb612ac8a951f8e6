#pragma once

#include "dbus/sdbus_api.hpp"
#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

namespace ollama_proxy::dbus {

/// 1, 2, 4 ... 60 seconds.
class Backoff {
  public:
    [[nodiscard]] std::chrono::seconds next() {
        const auto now = delay_;
        delay_ = std::min(delay_ * 2, kLongest);
        return now;
    }
    void reset() { delay_ = kShortest; }

  private:
    static constexpr std::chrono::seconds kShortest{1};
    static constexpr std::chrono::seconds kLongest{60};
    std::chrono::seconds delay_ = kShortest;
};

/// A connection to a bus that comes back by itself: opened, pumped, and after a loss opened again
/// with growing pauses. What is wrong is said once. A bus that hangs holds nobody: it is opened on
/// a thread of its own, and is not waited for when this stops. Thread: the bus thread only.
class BusLink {
  public:
    struct Owner {
        std::function<void(sdbus::IConnection&)> up;  ///< may throw sdbus::Error: a loss
        std::function<void()> down;                   ///< drop all that belongs to the connection
    };
    /// Called on another thread, may block for long, may throw sdbus::Error.
    using Open = std::unique_ptr<sdbus::IConnection> (*)();

    /// `name` is for the log: "session bus".
    BusLink(boost::asio::io_context& context, std::string name, Open open, Owner owner);
    ~BusLink();
    BusLink(const BusLink&) = delete;
    BusLink& operator=(const BusLink&) = delete;

    void start() { connect(); }
    void stop();

    /// Runs something that talks to the bus; nothing happens while there is none. What goes out is
    /// on its way afterwards.
    void use(const std::function<void(sdbus::IConnection&)>& action);

  private:
    struct Waits;
    struct Opening;

    void connect();
    void opened(std::unique_ptr<sdbus::IConnection> connection);
    void pump();
    void arm();
    void drop();
    void lose(const std::string& why);
    void retry_later();

    boost::asio::io_context& context_;
    const std::string name_;
    const Open open_;
    const Owner owner_;
    std::shared_ptr<Opening> opening_;  ///< while a thread opens
    std::unique_ptr<sdbus::IConnection> connection_;
    std::shared_ptr<Waits> waits_;
    boost::asio::steady_timer retry_;
    Backoff backoff_;
    bool was_up_ = false;
    bool complained_ = false;
    bool stopped_ = false;
};

}  // namespace ollama_proxy::dbus
