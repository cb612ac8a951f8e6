#pragma once

#include "monitors/file_reader.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

namespace ollama_proxy::monitors {

/// All that one look at the machine found.
struct Readings {
    PowerSupply power;
};

/// Looks at everything once. May block for as long as a driver does.
[[nodiscard]] Readings read_machine(FileReader& sysfs);

}  // namespace ollama_proxy::monitors
