#pragma once

#include "app/options.hpp"
#include "ollama_proxy/config/load.hpp"

#include <optional>
#include <string>

namespace ollama_proxy::app {

/// The file that a command line means: its `--config`, else the first of the search order. Nothing:
/// the built-in defaults.
[[nodiscard]] std::optional<std::string> configuration_file(const Options& options,
                                                            const config::Environment& environment);

/// The configuration that a command line means; flags of `serve` count like environment overrides.
[[nodiscard]] config::LoadResult load_configuration(
    const Options& options, config::Environment environment,
    config::Secrets secrets = config::Secrets::needed);

}  // namespace ollama_proxy::app
