#pragma once

#include "ollama_proxy/config/config.hpp"

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace ollama_proxy::telemetry {

/// One `key=value` of a log line; values are escaped by the sink, so hostile text stays one line.
using LogField = std::pair<std::string_view, std::string_view>;

/// Starts the log: one background thread writes to standard error; when it cannot keep up, lines
/// are dropped and counted, callers never wait. Thread: once, at start-up.
void start_logging(const config::Logging& settings);
/// Level and format of a reloaded configuration.
void reconfigure_logging(const config::Logging& settings);
/// Writes what is queued and stops the thread.
void stop_logging();

/// Logs one line. Never bodies, prompts, keys or query strings. Any thread, does not block.
void log(config::LogLevel level, std::string_view message,
         std::initializer_list<LogField> fields = {});

inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) {
    log(config::LogLevel::debug, m, f);
}
inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) {
    log(config::LogLevel::info, m, f);
}
inline void log_warn(std::string_view m, std::initializer_list<LogField> f = {}) {
    log(config::LogLevel::warn, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) {
    log(config::LogLevel::error, m, f);
}

/// Lines lost because the sink could not keep up.
[[nodiscard]] std::uint64_t dropped_log_lines();

}  // namespace ollama_proxy::telemetry
