#pragma once

#include "telemetry/line_writer.hpp"

namespace ollama_proxy::telemetry {

/// The format that `start_logging` or `reconfigure_logging` chose last. Any thread.
[[nodiscard]] LineStyle current_line_style();

}  // namespace ollama_proxy::telemetry
