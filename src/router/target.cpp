#include "router/target.hpp"

namespace ollama_proxy::router {

Result<std::optional<std::uint32_t>> target_index(const Generation& generation,
                                                  const std::string& id) {
    if (id.empty()) return std::optional<std::uint32_t>{};
    std::string known;
    const auto& backends = generation.backends->backends;
    for (std::uint32_t i = 0; i < backends.size(); ++i) {
        if (backends[i]->id() == id) return std::optional<std::uint32_t>{i};
        known += (known.empty() ? "" : ", ") + backends[i]->id();
    }
    return make_error(Errc::backend_not_found,
                      "no backend is called '" + id + "'; there are: " + known, "X-Target-Backend");
}

}  // namespace ollama_proxy::router
