#pragma once

#include "app/options.hpp"
#include "ollama_proxy/config/load.hpp"

namespace ollama_proxy::app {

/// The configuration that a command line means: its `--config`, else the first file of the search
/// order, else the built-in defaults; flags of `serve` count like environment overrides.
[[nodiscard]] config::LoadResult load_configuration(const Options& options,
                                                    config::Environment environment);

}  // namespace ollama_proxy::app
