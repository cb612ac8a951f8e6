#pragma once

#include <string>

namespace ollama_proxy::http {

/// The whole reply for a client for whom there is no session: said before its request is read.
[[nodiscard]] std::string busy_answer();

}  // namespace ollama_proxy::http
