#pragma once

#include "ollama_proxy/upstream/exchange.hpp"

#include <string>

namespace ollama_proxy::upstream {

/// The head of the request to a backend, built anew: our own Host and length, the allowed lines of
/// the client, the configured headers, and a credential for this backend only.
void append_request_head(std::string& out, const config::Backend& backend,
                         const UpstreamRequest& request);

}  // namespace ollama_proxy::upstream
