#pragma once

#include "ollama_proxy/config/backend.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace ollama_proxy::config {

/// The parts of `http[s]://host[:port][/path]`, or a sentence that says what is wrong. A `/v1` at
/// the end of the path is dropped.
[[nodiscard]] std::variant<Endpoint, std::string> parse_endpoint(std::string_view text);

}  // namespace ollama_proxy::config
