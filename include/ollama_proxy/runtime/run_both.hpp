#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <exception>

namespace ollama_proxy::runtime {

/// One of two operations that run beside each other.
struct Side {
    boost::asio::cancellation_signal cancel;  ///< emit (total) to end it, also from the other side
    std::exception_ptr failure;               ///< what it threw, once it has ended
};

/// Runs two operations beside each other and returns when both have ended; what they threw is in
/// their sides. Cancelling `run_both` cancels both. Both may refer to what the caller owns. Thread:
/// the caller's executor, which is one thread.
boost::asio::awaitable<void> run_both(boost::asio::awaitable<void> one, Side& its_side,
                                      boost::asio::awaitable<void> other, Side& other_side);

}  // namespace ollama_proxy::runtime
