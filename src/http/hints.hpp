#pragma once

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/router/request.hpp"

#include <string>

namespace ollama_proxy::http {

/// The routing headers of a request. A value that does not parse is invalid_request with the
/// header's name as `param`. Pure.
[[nodiscard]] Result<router::RoutingHints> parse_hints(const codec::RequestHead& head);

/// The header lines that are sent on to a backend, CRLF each: content negotiation and the
/// dialects' own headers. Never credentials, cookies, routing or hop-by-hop fields.
[[nodiscard]] std::string forwarded_fields(const codec::RequestHead& head);

}  // namespace ollama_proxy::http
