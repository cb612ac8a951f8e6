#pragma once

#include "demo/connection.hpp"
#include "demo/state.hpp"

#include <boost/asio/awaitable.hpp>

namespace ollama_proxy::demo {

/// Reads the body of `request`, answers it, and returns whether the connection may go on.
boost::asio::awaitable<bool> dispatch(State& state, Connection& connection, Request& request);

}  // namespace ollama_proxy::demo
