#pragma once

#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/backend.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <string>
#include <vector>

namespace ollama_proxy::upstream {

using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;

/// What needs no look-up: a literal address, and localhost, which is both loopbacks by definition.
/// Empty for any other name.
[[nodiscard]] Addresses known_addresses(const config::Endpoint& endpoint);

/// Finds the addresses of a host; blocks. Thread: one of its own.
using Lookup = std::function<Result<Addresses>(const std::string& host, const std::string& port)>;

/// getaddrinfo. Errors: upstream_refused.
[[nodiscard]] Result<Addresses> addresses_of(const std::string& host, const std::string& port);

/// Runs `lookup` without blocking the caller. Cancelling ends the wait at once and leaves the
/// lookup behind, because nothing can end getaddrinfo: it touches nothing of the caller's. Who asks
/// for the same host and port meanwhile waits for that one, so that a name hangs on one thread.
/// Thread: the caller's executor.
[[nodiscard]] boost::asio::awaitable<Result<Addresses>> look_up(std::string host, std::string port,
                                                                Lookup lookup = addresses_of);

}  // namespace ollama_proxy::upstream
