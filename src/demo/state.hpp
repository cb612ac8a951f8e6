#pragma once

#include "demo/model_store.hpp"
#include "demo/wall_clock.hpp"
#include "ollama_proxy/demo/demo_server.hpp"

#include <atomic>
#include <set>
#include <string>

namespace ollama_proxy::demo {

/// What all connections of one simulated server share. The atomics are for any thread, the rest
/// for the server's context alone.
struct State {
    explicit State(DemoSettings given)
        : settings(std::move(given)),
          first_token_ms(settings.first_token_ms),
          tokens_per_second(settings.tokens_per_second),
          models(settings.models, std::chrono::system_clock::now()) {}

    const DemoSettings settings;
    std::atomic<double> first_token_ms;
    std::atomic<double> tokens_per_second;
    std::atomic<Fault> fault{Fault::none};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> cancelled{0};
    std::atomic<int> active{0};
    ModelStore models;
    std::set<std::string> blobs;  ///< digests that were uploaded
    StampWriter stamps;
    std::string scratch;  ///< what is being rendered; may change at every co_await
};

}  // namespace ollama_proxy::demo
