#include "app/serve.hpp"

namespace ollama_proxy::app {
namespace {

using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

std::string addresses_of(const Endpoints& endpoints, std::string_view scheme) {
    std::string out;
    for (const auto& endpoint : endpoints) {
        const std::string host = endpoint.address().to_string();
        out += out.empty() ? "" : ", ";
        out += std::string(scheme) + (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
               std::to_string(endpoint.port());
    }
    return out;
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

std::string first_line(const config::Config& config, const Endpoints& http, const Endpoints& grpc) {
    std::string addresses = addresses_of(http, "http://");
    if (!grpc.empty()) addresses += ", gRPC on " + addresses_of(grpc, "");
    return version_text() + " listening on " + addresses + ", " + backends_of(config) +
           ", configuration: " + config.source;
}

}  // namespace ollama_proxy::app
