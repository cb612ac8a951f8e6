#pragma once

#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::access {

// Who may talk to us at all: decided before the body is read. Pure.

/// The authority part of a Host header or an origin without its port; brackets of IPv6 removed.
[[nodiscard]] std::string_view host_without_port(std::string_view authority);

/// `localhost`, anything under `.localhost`, 127.0.0.0/8 and ::1.
[[nodiscard]] bool is_loopback_host(std::string_view host);

/// A Host header is ours: loopback, a configured name, or the address that the client connected
/// to. Anything else may be a page that rebinds its DNS name to this machine.
[[nodiscard]] bool host_allowed(std::string_view host_header, std::string_view local_address,
                                const config::Server& server);

/// A browser origin that may use this daemon: loopback pages, desktop shells' schemes, configured
/// ones. `null` never.
[[nodiscard]] bool origin_allowed(std::string_view origin, const config::Server& server);

struct BrowserFacts {
    std::string_view host;
    std::string_view origin;  ///< empty: no Origin header
    bool has_origin = false;
    std::string_view sec_fetch_site;
    std::string_view local_address;
};
/// Refuses foreign hosts and origins: forbidden_host or forbidden_origin.
[[nodiscard]] std::optional<Error> check_browser(const BrowserFacts& facts,
                                                 const config::Server& server);

/// What a route asks of a key.
enum class Permission {
    none,       ///< open to everybody
    inference,  ///< asks models
    read,       ///< looks at state
    admin,      ///< changes state
};

/// The key that fits: its name, or invalid_api_key / permission_denied. `credential` is what
/// follows `Bearer `, or the x-api-key. Compares in constant time against every key.
[[nodiscard]] Result<std::string> check_key(std::string_view credential, Permission wanted,
                                            const config::Auth& auth);

/// What follows `Bearer ` (any case), else nothing.
[[nodiscard]] std::string_view bearer_of(std::string_view authorization);

}  // namespace ollama_proxy::access
