#pragma once

#include "ollama_proxy/config/config.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::config {

/// How a configuration that was read anew differs from the one in force.
struct Changes {
    std::vector<std::string> keys;          ///< paths; `backends` are told by their ids instead
    std::vector<std::string> need_restart;  ///< those of `keys` that keep their value until then
    std::vector<std::string> added;         ///< ids of backends
    std::vector<std::string> removed;
    std::vector<std::string> changed;

    [[nodiscard]] bool none() const {
        return keys.empty() && added.empty() && removed.empty() && changed.empty();
    }
};

/// The keys that are read at the start only: what is built from them cannot change under way.
[[nodiscard]] std::span<const std::string_view> keys_that_need_restart();

/// What differs. Where that needs a restart `read` gets the value that is in force, so that it says
/// what is used from now on.
[[nodiscard]] Changes take_over_running(const Config& running, Config& read);

}  // namespace ollama_proxy::config
