#pragma once

#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/backend.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::upstream {

struct FetchReply {
    int status = 0;
    std::string body;
};

/// One small request on a connection of its own: probes, catalogs, the command line. The whole of
/// it, connecting included, takes at most `timeout`; a body over 16 MiB is an error.
/// Errors: upstream_refused (nobody listens), upstream_timeout, bad_gateway.
/// Cancelling closes the connection. Thread: the caller's executor.
[[nodiscard]] boost::asio::awaitable<Result<FetchReply>> fetch(
    const config::Backend& backend, const std::vector<boost::asio::ip::tcp::endpoint>& addresses,
    std::string method, std::string target, std::string body, std::chrono::milliseconds timeout);

/// Looks a host up without blocking the caller (getaddrinfo on a thread of its own); takes at most
/// `timeout`. IPv4 and IPv6 answers are both kept. Errors: upstream_refused, upstream_timeout.
/// Cancelling ends it at once. Thread: the caller's executor.
[[nodiscard]] boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(
    const config::Endpoint& endpoint, std::chrono::milliseconds timeout);

}  // namespace ollama_proxy::upstream
