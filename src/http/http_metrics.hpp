#pragma once

#include "http/routes.hpp"
#include "ollama_proxy/common/error.hpp"

#include <optional>

namespace ollama_proxy::http {

// What the front end counts of each request; any thread, no lock and no allocation once a route has
// been asked for.

/// A finished request: its route (nullptr: an unknown path), status (499: the client left) and
/// time.
void count_request(const Route* route, int status, double seconds);

/// A request on a WebSocket that was answered: nothing, or the error that ended it, and its time.
void count_websocket_request(const std::optional<Error>& error, double seconds);

/// What the proxy itself took of a routed request until its first byte went out: without the
/// client's upload, the queue and the backend.
void observe_overhead(double seconds);

/// A request that was refused before any routing.
void count_refusal(Errc code);

}  // namespace ollama_proxy::http
