#pragma once

#include "router/facts.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace ollama_proxy::router {

/// The place of the backend that X-Target-Backend names; nothing when `id` is empty. Errors:
/// backend_not_found, listing the ids that there are.
[[nodiscard]] Result<std::optional<std::uint32_t>> target_index(const Generation& generation,
                                                                const std::string& id);

}  // namespace ollama_proxy::router
