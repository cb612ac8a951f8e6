#include "app/serve.hpp"

namespace ollama_proxy::app {
namespace {

std::string url_of(const boost::asio::ip::tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return "http://" + (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
           std::to_string(endpoint.port());
}

std::string backends_of(const config::Config& config) {
    std::string ids;
    std::size_t count = 0;
    for (const config::Backend& backend : config.backends) {
        if (!backend.enabled) continue;
        ids += (ids.empty() ? "" : ", ") + backend.id;
        ++count;
    }
    if (count == 0) return "no backends";
    return std::to_string(count) + (count == 1 ? " backend (" : " backends (") + ids + ")";
}

}  // namespace

std::string first_line(const config::Config& config,
                       const std::vector<boost::asio::ip::tcp::endpoint>& endpoints) {
    std::string addresses;
    for (const auto& endpoint : endpoints) {
        addresses += (addresses.empty() ? "" : ", ") + url_of(endpoint);
    }
    return version_text() + " listening on " + addresses + ", " + backends_of(config) +
           ", configuration: " + config.source;
}

}  // namespace ollama_proxy::app
