#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "router/slots.hpp"

namespace ollama_proxy::router {

/// The slots of a backend that takes requests again since `since`, after it was down or too
/// busy: one at first, then one more every half second, up to `full`. No herd at its door.
/// TimePoint{}: it never was any of that. Pure.
[[nodiscard]] Capacity slow_start(const Capacity& full, TimePoint since, TimePoint now);

}  // namespace ollama_proxy::router
