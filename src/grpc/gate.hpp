#pragma once

#include "ollama_proxy/access/client_limits.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ollama_proxy::grpc_api {

/// What a call brings besides its message.
struct CallFacts {
    std::string_view authority;  ///< HTTP/2's Host
    std::string_view peer;       ///< as gRPC writes it, "ipv6:%5B::1%5D:4711"
    std::vector<std::pair<std::string_view, std::string_view>> metadata;

    /// The first value of that name, empty if none.
    [[nodiscard]] std::string_view get(std::string_view name) const;
};

/// The address alone of a peer as gRPC writes it.
[[nodiscard]] std::string peer_address(std::string_view peer);

/// Whether a call may begin, decided before its message is read: size and text of the metadata,
/// host and origin, key, rate. Gives the client's name. Errors: header_too_large, invalid_request,
/// forbidden_host, forbidden_origin, and those of access::admit.
[[nodiscard]] Result<std::string> check_call(const CallFacts& facts, access::Permission wanted,
                                             const config::Server& server,
                                             access::ClientLimits& limits, TimePoint now);

}  // namespace ollama_proxy::grpc_api
