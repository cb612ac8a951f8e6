#pragma once

#include "ollama_proxy/telemetry/access_log.hpp"
#include "telemetry/line_writer.hpp"

#include <chrono>
#include <string>

namespace ollama_proxy::telemetry {

/// Appends the line of one finished request; pure. What is not known is left out.
void append_access_line(std::string& out, LineStyle style,
                        std::chrono::system_clock::time_point time, const AccessRecord& record);

}  // namespace ollama_proxy::telemetry
