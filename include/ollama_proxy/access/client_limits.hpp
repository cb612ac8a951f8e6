#pragma once

#include "ollama_proxy/access/byte_budget.hpp"
#include "ollama_proxy/access/gate.hpp"
#include "ollama_proxy/access/rate_limiter.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

namespace ollama_proxy::access {

/// What clients share whatever they speak: the same for every protocol, so that nobody gets a
/// second helping by another port. Thread: any.
struct ClientLimits {
    explicit ClientLimits(const config::Server& server)
        : body_budget(server.limits.buffered_bytes), rate_limiter(server.rate_limit) {}

    /// Bounds of a reloaded configuration; what is held and counted already stays.
    void configure(const config::Server& server) {
        body_budget.configure(server.limits.buffered_bytes);
        rate_limiter.configure(server.rate_limit);
    }

    ByteBudget body_budget;
    RateLimiter rate_limiter;
    std::atomic<std::size_t> connections{0};
};

/// The one gate that a request of any protocol passes, before its body is read: the key where keys
/// are on, then the client's rate. Gives the client's name: that of its key, else `address`.
/// Errors: invalid_api_key, permission_denied, rate_limited (with the seconds to wait).
[[nodiscard]] Result<std::string> admit(std::string_view credential, std::string_view address,
                                        Permission wanted, const config::Server& server,
                                        ClientLimits& limits, TimePoint now);

}  // namespace ollama_proxy::access
