#pragma once

#include "ollama_proxy/config/load.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::app {

/// The first of these addresses that others than this machine reach while nobody is asked for a
/// key. The configuration's own check knows `server.host` only: a service manager may have handed
/// other sockets over, and a reload does not change what is listened on.
[[nodiscard]] std::optional<std::string> open_address(
    const config::Server& server, const std::vector<boost::asio::ip::tcp::endpoint>& listening);

/// The configuration, if it may serve there: where an address would be open it is refused with
/// what to do, or accepted with a warning when `allow_unauthenticated` says that this is wanted.
[[nodiscard]] config::LoadResult check_exposure(
    config::LoadResult loaded, const std::vector<boost::asio::ip::tcp::endpoint>& listening);

}  // namespace ollama_proxy::app
