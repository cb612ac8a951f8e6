#pragma once

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/router/request.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::http {

/// The routing headers of a request. A value that does not parse is invalid_request with the
/// header's name as `param`. Pure.
[[nodiscard]] Result<router::RoutingHints> parse_hints(const codec::RequestHead& head);

/// Sets the hint of one routing header ("X-Priority") from its text; an unknown header changes
/// nothing. `name` is what the error calls it: a field of a WebSocket message has another name
/// (empty: the header's own).
[[nodiscard]] std::optional<Error> set_hint(std::string_view header, std::string_view name,
                                            std::string_view value, router::RoutingHints& hints);

/// The header lines that are sent on to a backend, CRLF each: content negotiation and the
/// dialects' own headers. Never credentials, cookies, routing or hop-by-hop fields.
[[nodiscard]] std::string forwarded_fields(const codec::RequestHead& head);

}  // namespace ollama_proxy::http
