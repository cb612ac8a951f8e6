#pragma once

#include "config/reader.hpp"
#include "ollama_proxy/config/config.hpp"

namespace ollama_proxy::config {

/// What needs more than one key to see: references, orders, a listener open to the network.
void validate(Reader& reader, const Config& config);

}  // namespace ollama_proxy::config
