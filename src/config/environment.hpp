#pragma once

#include "config/reader.hpp"

namespace ollama_proxy::config {

/// `server.http_port` -> `OLLAMA_PROXY_SERVER_HTTP_PORT`.
[[nodiscard]] std::string variable_name(const std::string& key);

/// Fills `reader.overrides` from the environment.
void collect_overrides(Reader& reader);

/// Warns about OLLAMA_PROXY_* variables that mean nothing. Call after reading, when it is known
/// which variables the file names itself.
void warn_about_variables(Reader& reader);

}  // namespace ollama_proxy::config
