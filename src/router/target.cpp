#include "router/target.hpp"

namespace ollama_proxy::router {

Result<std::optional<std::uint32_t>> target_index(const Generation& generation,
                                                  const std::string& id) {
    if (id.empty()) return std::optional<std::uint32_t>{};
    std::string known;
    for (const auto& backend : generation.backends->backends) {
        if (backend->id() == id) return std::optional<std::uint32_t>{backend->index()};
        known += (known.empty() ? "" : ", ") + backend->id();
    }
    return make_error(Errc::backend_not_found,
                      "no backend is called '" + id + "'; there are: " + known, "X-Target-Backend");
}

}  // namespace ollama_proxy::router
