#include "ollama_proxy/access/client_limits.hpp"

namespace ollama_proxy::access {

Result<std::string> admit(std::string_view credential, std::string_view address, Permission wanted,
                          const config::Server& server, ClientLimits& limits, TimePoint now) {
    std::string client(address);
    if (server.auth.enabled && wanted != Permission::none) {
        auto key = check_key(credential, wanted, server.auth);
        if (!key) return key.error();
        client = *key;
    }
    if (wanted == Permission::inference || wanted == Permission::admin) {
        if (const int wait = limits.rate_limiter.take(client, now)) {
            Error error = make_error(Errc::rate_limited, "too many requests; try again later");
            error.retry_after_s = wait;
            return error;
        }
    }
    return client;
}

}  // namespace ollama_proxy::access
