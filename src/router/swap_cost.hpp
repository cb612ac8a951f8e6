#pragma once

namespace ollama_proxy::router {

/// As `ollama list` counts.
inline constexpr double kBytesPerGb = 1e9;

/// What loading a model costs others, 0..1: the share of its `bytes` that only fits where models in
/// use are now. `room`: the backend's memory for models; `in_use`: what models that answer requests
/// take of it, in bytes. Idle models leave first and cost nothing. Pure.
[[nodiscard]] double swap_cost(double bytes, double room, double in_use);

}  // namespace ollama_proxy::router
