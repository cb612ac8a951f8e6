#pragma once

#include "ollama_proxy/router/decision.hpp"

namespace ollama_proxy::router {

/// What the hints of one request make of the mode in force: its request class.
struct RequestProfile {
    Weights weights{};
    efficiency::HardwareOrder order;  ///< for the hardware scorer; the filter keeps the mode's
    bool lifts_mode_limits = false;   ///< hardware list and power budget do not apply
    Reason reason = Reason::mode_name;
};

/// Critical beats frugal where a client asks for both. Pure.
[[nodiscard]] RequestProfile profile_of(const RoutingHints& hints, const efficiency::Policy& policy,
                                        const DecisionSettings& settings);

}  // namespace ollama_proxy::router
