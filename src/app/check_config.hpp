#pragma once

#include "ollama_proxy/config/load.hpp"

#include <string>

namespace ollama_proxy::app {

struct CheckReport {
    int exit_code = 0;
    std::string out;
};

/// What `check-config` prints: 0 and a summary (addresses, backends, mode, warnings), or 1 and
/// every error on a line of its own.
[[nodiscard]] CheckReport check_config_text(const config::LoadResult& result);

}  // namespace ollama_proxy::app
