#pragma once

#include "ollama_proxy/config/config.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace ollama_proxy::app {

/// Where Ollama servers are looked for when nothing is configured.
inline constexpr std::uint16_t kUsualPorts[] = {11434, 11435, 11436, 11437};

struct Discovery {
    std::vector<config::Backend> backends;
    bool found = false;  ///< false: none answered, and the backends are the ports to be watched
};

/// Asks every port of `localhost` for Ollama's version, all at once. What answers becomes a
/// backend `ollama-<port>`; when none does, all of them become backends, so that an Ollama that is
/// started later serves. `own_port` is left out: the daemon must not route to itself.
/// Blocks for at most about `limit`.
[[nodiscard]] Discovery discover_local(std::span<const std::uint16_t> ports, std::uint16_t own_port,
                                       std::chrono::milliseconds limit);

}  // namespace ollama_proxy::app
