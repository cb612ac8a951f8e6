#include "app/exposure.hpp"

#include <utility>

namespace ollama_proxy::app {
namespace {

bool is_loopback(const boost::asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()).is_loopback();
    }
    return address.is_loopback();
}

}  // namespace

std::optional<std::string> open_address(
    const config::Server& server, const std::vector<boost::asio::ip::tcp::endpoint>& listening) {
    if (server.auth.enabled && !server.auth.api_keys.empty()) return std::nullopt;
    for (const auto& endpoint : listening) {
        if (!is_loopback(endpoint.address())) return endpoint.address().to_string();
    }
    return std::nullopt;
}

config::LoadResult check_exposure(config::LoadResult loaded,
                                  const std::vector<boost::asio::ip::tcp::endpoint>& listening) {
    if (!loaded) return loaded;
    const auto address = open_address(loaded.config->server, listening);
    if (!address) return loaded;
    if (loaded.config->server.allow_unauthenticated) {
        loaded.warnings.push_back("everybody who reaches " + *address +
                                  " may use and manage the models: no API keys are asked for");
        return loaded;
    }
    config::LoadResult refused;
    refused.problems.push_back(
        {loaded.config->source, 0, 0, "server.auth",
         "the daemon listens on " + *address +
             ", which is open to the network, and no key would protect it; either listen on "
             "loopback (\"127.0.0.1\", and start it again), or set server.auth with API keys or "
             "server.allow_unauthenticated: true"});
    return refused;
}

}  // namespace ollama_proxy::app
