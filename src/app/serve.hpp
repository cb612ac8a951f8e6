#pragma once

#include "app/options.hpp"
#include "ollama_proxy/config/load.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <string>
#include <vector>

namespace ollama_proxy::app {

/// Runs the daemon until a signal ends it; the exit status. Blocks; at most once in a process.
[[nodiscard]] int serve(const Options& options, const config::Environment& environment);

/// The first line on standard output: version, addresses, backends, where the configuration came
/// from.
[[nodiscard]] std::string first_line(const config::Config& config,
                                     const std::vector<boost::asio::ip::tcp::endpoint>& http,
                                     const std::vector<boost::asio::ip::tcp::endpoint>& grpc);

}  // namespace ollama_proxy::app
