#pragma once

#include <string>
#include <string_view>

namespace ollama_proxy::config {

/// `host` as everybody else expects it: without brackets, "localhost" in lower case.
[[nodiscard]] std::string canonical_host(std::string_view host);

/// An IPv4 or IPv6 address (brackets and a zone are fine) or "localhost".
[[nodiscard]] bool is_listen_address(std::string_view host);

/// 127.0.0.0/8, ::1, IPv4-mapped loopback, "localhost".
[[nodiscard]] bool is_loopback(std::string_view host);

}  // namespace ollama_proxy::config
