#pragma once

#include "app/options.hpp"
#include "ollama_proxy/config/load.hpp"

#include <string>

namespace ollama_proxy::app {

struct CommandReport {
    int exit_code = 0;
    std::string out;
    std::string error;  ///< a sentence for standard error
};

/// Runs status, mode, backends, models or explain against the running daemon: 0, or 1 and what is
/// wrong. Sends OLLAMA_PROXY_API_KEY. Blocks; prints nothing itself.
[[nodiscard]] CommandReport run_command(const Options& options,
                                        const config::Environment& environment, bool colour);

/// Colour only where a person sees it: a terminal that is not dumb, and no NO_COLOR.
[[nodiscard]] bool wants_colour(const config::Environment& environment, bool is_terminal);

}  // namespace ollama_proxy::app
