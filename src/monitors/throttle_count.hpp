#pragma once

#include "monitors/file_reader.hpp"

#include <cstdint>
#include <optional>

namespace ollama_proxy::monitors {

/// How often the processors have slowed themselves down for heat since the start of the machine,
/// all `cpu*/thermal_throttle/*_throttle_count` added up; absent where the processor does not
/// count.
[[nodiscard]] std::optional<std::int64_t> read_throttle_count(FileReader& sysfs);

}  // namespace ollama_proxy::monitors
