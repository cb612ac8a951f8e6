#pragma once

#include "http/reply.hpp"
#include "ollama_proxy/efficiency/state.hpp"
#include "ollama_proxy/router/status_view.hpp"

#include <span>
#include <string_view>

namespace ollama_proxy::http {

// The JSON of the efficiency routes (wire contract, section 5). Pure.

[[nodiscard]] Reply efficiency_reply(const efficiency::State& state,
                                     const router::StatusView& view);
/// Oldest first, as given.
[[nodiscard]] Reply efficiency_history_reply(std::span<const efficiency::Transition> history);

/// The body of POST /efficiency. Errors: invalid_request, with the list of modes for an unknown
/// one.
[[nodiscard]] Result<efficiency::Change> read_efficiency_change(std::string_view body);

}  // namespace ollama_proxy::http
