#include "app/local_backends.hpp"

#include <algorithm>

namespace ollama_proxy::app {
namespace {

constexpr std::chrono::milliseconds kDiscoveryLimit{300};

bool has(const std::vector<config::Backend>& backends, const std::string& id) {
    return std::ranges::find(backends, id, &config::Backend::id) != backends.end();
}

}  // namespace

LocalBackends::LocalBackends(bool demo, std::span<const std::uint16_t> ports) : ports_(ports) {
    if (demo) demo_.emplace();
}

std::vector<std::string> LocalBackends::fill_in(config::Config& config) {
    std::vector<std::string> warnings;
    if (demo_) {
        config.backends = demo_->backends();
        config.discover_local = false;
    } else if (config.discover_local) {
        Discovery now = discover_local(ports_, config.server.http_port, kDiscoveryLimit);
        const bool first = found_.empty();
        if (first || now.found) {
            for (config::Backend& one : now.backends) {
                if (!has(found_, one.id)) found_.push_back(std::move(one));
            }
            std::ranges::sort(found_, {}, &config::Backend::id);
        }
        config.backends = found_;
        if (first && !now.found) {
            warnings.emplace_back(
                "no Ollama answers on localhost:11434..11437 yet: start Ollama, or write a "
                "configuration that names your backends, or run ollama-proxy --demo");
        }
    }
    // Validation could not know the ids of backends that are only found now.
    std::string& named = config.router.default_backend;
    if (!named.empty() && !has(config.backends, named)) {
        warnings.push_back("router.default_backend names no backend that is there: " + named);
        named.clear();
    }
    return warnings;
}

}  // namespace ollama_proxy::app
