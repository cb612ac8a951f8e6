#include "router/activity.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <utility>

namespace ollama_proxy::router {
namespace {

constexpr std::chrono::seconds kLook{1};

}  // namespace

void Activity::begin() {
    boost::asio::post(control_, [self = shared_from_this()] {
        if (self->stopped_) return;
        self->idle_before_ = false;
        self->tell_(true);
        self->look_later();
    });
}

void Activity::look_later() {
    timer_.expires_after(kLook);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error && !self->stopped_) self->look();
    });
}

void Activity::look() {
    const bool idle = in_flight_() == 0;
    if (!idle || !std::exchange(idle_before_, true)) {
        if (!idle) idle_before_ = false;
        look_later();
        return;
    }
    tell_(false);
    // a request that came in between has seen the flag and begun nothing
    busy_.store(false);
    if (in_flight_() > 0) note();
}

void Activity::stop() {
    stopped_ = true;
    timer_.cancel();
}

}  // namespace ollama_proxy::router
