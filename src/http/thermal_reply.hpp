#pragma once

#include "http/reply.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

namespace ollama_proxy::http {

/// GET /thermal. What is not there, or sleeps, is null.
[[nodiscard]] Reply thermal_reply(const monitors::SystemSnapshot& machine, TimePoint now);

}  // namespace ollama_proxy::http
