#include "app/check_config.hpp"

#include "ollama_proxy/runtime/listener.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

namespace ollama_proxy::app {
namespace {

using config::Backend;
using config::Config;

std::string plain(double number) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    return {buffer.data(), end.ptr};
}

std::string address(const std::string& host, unsigned port) {
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" +
           (port == 0 ? std::string("any") : std::to_string(port));
}

std::string addresses(const Config& config, std::uint16_t port) {
    std::vector<std::string> shown;
    for (const std::string& host : config.server.host) {
        for (const auto& endpoint : runtime::listen_endpoints(host, port)) {
            const std::string one = address(endpoint.address().to_string(), port);
            if (std::ranges::find(shown, one) == shown.end()) shown.push_back(one);
        }
    }
    std::string out;
    for (const std::string& one : shown) out += (out.empty() ? "" : ", ") + one;
    return out;
}

std::string backend_line(const Backend& backend) {
    std::string line = "  " + backend.id + "  " + backend.endpoint.text + "  " +
                       std::string(config::to_string(backend.type)) + ", " +
                       std::string(config::to_string(backend.hardware));
    if (backend.characteristics.power_known) {
        line += ", " + plain(backend.characteristics.power_watts) + " W";
    }
    if (backend.characteristics.latency_known) {
        line += ", " + std::to_string(backend.characteristics.avg_latency.count()) + " ms";
    }
    line += ", " + std::to_string(backend.max_concurrency) +
            (backend.max_concurrency == 1 ? " slot per model" : " slots per model");
    if (!backend.enabled) line += ", disabled";
    return line + "\n";
}

std::string summary(const Config& config) {
    std::string out = config.source + ": good\n";
    out += "HTTP  " + addresses(config, config.server.http_port) + "\n";
    out += "gRPC  " +
           (config.server.grpc_port ? addresses(config, *config.server.grpc_port) : "off") + "\n";
    out += "mode  " + std::string(config::to_string(config.efficiency.default_mode)) + "\n";
    out += std::string("keys  ") +
           (config.server.auth.enabled ? std::to_string(config.server.auth.api_keys.size())
                                       : std::string("not asked for")) +
           "\n";
    if (config.discover_local) {
        out += "backends: every Ollama that answers on localhost:11434..11437\n";
    } else {
        out += "backends: " + std::to_string(config.backends.size()) + "\n";
        for (const Backend& backend : config.backends) out += backend_line(backend);
    }
    return out;
}

}  // namespace

CheckReport check_config_text(const config::LoadResult& result) {
    CheckReport report;
    if (result.config != nullptr) {
        report.out = summary(*result.config);
    } else {
        report.exit_code = 1;
        for (const config::Problem& problem : result.problems) {
            report.out += problem.to_string() + "\n";
        }
        const std::size_t count = result.problems.size();
        report.out += std::to_string(count) + (count == 1 ? " error\n" : " errors\n");
    }
    for (const std::string& warning : result.warnings) {
        report.out += "warning: " + warning + "\n";
    }
    return report;
}

}  // namespace ollama_proxy::app
