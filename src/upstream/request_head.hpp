#pragma once

#include "ollama_proxy/upstream/exchange.hpp"

#include <string>

namespace ollama_proxy::upstream {

/// The head of the request to a backend, built anew: our own Host and length, the allowed lines of
/// the client, the configured headers, and a credential for this backend only.
[[nodiscard]] std::string request_head(const config::Backend& backend,
                                       const UpstreamRequest& request);

}  // namespace ollama_proxy::upstream
