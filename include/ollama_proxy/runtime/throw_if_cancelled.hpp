#pragma once

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace ollama_proxy::runtime {

/// Leaves as Asio's own operations do when the coroutine was cancelled: what failed then failed
/// because of that, and what would come next is not wanted any more.
///
///     throw_if_cancelled(co_await boost::asio::this_coro::cancellation_state);
inline void throw_if_cancelled(const boost::asio::cancellation_state& state) {
    if (state.cancelled() == boost::asio::cancellation_type::none) return;
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

}  // namespace ollama_proxy::runtime
