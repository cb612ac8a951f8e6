#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace ollama_proxy::router {

/// What wakes a coroutine of some worker from any thread: rung by posting to its executor. Outlives
/// the coroutine, which then has set `rung` to nothing. Touched on that worker only.
struct Bell {
    explicit Bell(const boost::asio::any_io_executor& executor) : timer(executor) {}

    boost::asio::steady_timer timer;
    std::function<void()> rung;  ///< what ringing does
};

}  // namespace ollama_proxy::router
