#pragma once

#include "ollama_proxy/common/clock.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <utility>

namespace ollama_proxy::dbus {

/// News at most four times a second: the first at once, what comes sooner after it together and
/// later. Thread: the bus thread only.
class Paced {
  public:
    static constexpr Milliseconds kPause{250};

    Paced(boost::asio::io_context& context, std::function<void()> tell)
        : timer_(context), tell_(std::move(tell)) {}

    void touch() {
        if (waiting_) return;
        const TimePoint now = Clock::now();
        if (now >= next_) {
            next_ = now + kPause;
            tell_();
            return;
        }
        waiting_ = true;
        timer_.expires_at(next_);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (error) return;
            waiting_ = false;
            next_ = Clock::now() + kPause;
            tell_();
        });
    }

  private:
    boost::asio::steady_timer timer_;
    std::function<void()> tell_;
    TimePoint next_{};
    bool waiting_ = false;
};

}  // namespace ollama_proxy::dbus
