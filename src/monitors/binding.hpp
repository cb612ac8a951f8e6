#pragma once

#include "monitors/part.hpp"
#include "ollama_proxy/config/backend.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace ollama_proxy::monitors {

/// Which parts (indexes) are a backend's device: what its `device` names (hwmon before thermal_zone
/// before drm before pci), else what fits its `hardware`. Empty where there is none, and for an NPU
/// that names nothing: no sensor of the kernel is known to be an NPU's.
[[nodiscard]] std::vector<std::size_t> parts_of(const config::Backend& backend,
                                                std::span<const Part> parts);

}  // namespace ollama_proxy::monitors
