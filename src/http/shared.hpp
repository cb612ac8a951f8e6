#pragma once

#include "ollama_proxy/access/client_limits.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/router/router.hpp"

#include <atomic>
#include <memory>

namespace ollama_proxy::http {

using access::ByteBudget;

/// What all sessions share. Lives as long as any of them.
struct Shared {
    Shared(router::Router& r, efficiency::Controller& e, std::shared_ptr<access::ClientLimits> l,
           std::shared_ptr<const config::Config> c)
        : router(r), controller(e), limits(std::move(l)), config(std::move(c)) {}

    router::Router& router;
    efficiency::Controller& controller;
    const std::shared_ptr<access::ClientLimits> limits;
    SnapshotCell<config::Config> config;  ///< a request loads it once
    std::atomic<bool> draining{false};    ///< sessions end after the request in hand
};

}  // namespace ollama_proxy::http
