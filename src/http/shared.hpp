#pragma once

#include "http/byte_budget.hpp"
#include "http/rate_limiter.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/router/router.hpp"

#include <atomic>
#include <cstddef>
#include <memory>

namespace ollama_proxy::http {

/// What all sessions share. Lives as long as any of them.
struct Shared {
    Shared(router::Router& r, std::shared_ptr<const config::Config> c)
        : router(r),
          config(std::move(c)),
          body_budget(config->server.limits.buffered_bytes),
          rate_limiter(config->server.rate_limit) {}

    router::Router& router;
    const std::shared_ptr<const config::Config> config;
    ByteBudget body_budget;
    RateLimiter rate_limiter;
    std::atomic<bool> draining{false};  ///< sessions end after the request in hand
    std::atomic<std::size_t> connections{0};
};

}  // namespace ollama_proxy::http
