#pragma once

#include "monitors/file_reader.hpp"
#include "monitors/part.hpp"
#include "monitors/rapl.hpp"
#include "ollama_proxy/config/backend.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ollama_proxy::monitors {

/// All that one look at the machine found.
struct Readings {
    std::vector<Part> parts;
    RaplFacts rapl;
    PowerSupply power;
    std::optional<std::int64_t> throttle_count;
    bool nvidia_driver = false;  ///< NVIDIA's own driver is loaded
};

/// Looks at everything once, also at what backends name in their `device`. May block for as long as
/// a driver does. NVIDIA's GPUs come without readings.
[[nodiscard]] Readings read_machine(FileReader& sysfs, std::span<const config::Backend> backends);

}  // namespace ollama_proxy::monitors
