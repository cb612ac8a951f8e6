#pragma once

#include "http/reply.hpp"
#include "ollama_proxy/router/status_view.hpp"

#include <cstddef>

namespace ollama_proxy::http {

/// GET /metrics: all that was counted, and the state that `view` shows, in Prometheus' text format.
[[nodiscard]] Reply metrics_reply(const router::StatusView& view, std::size_t connections);

}  // namespace ollama_proxy::http
