#pragma once

#include "monitors/file_reader.hpp"
#include "monitors/part.hpp"

#include <vector>

namespace ollama_proxy::monitors {

/// The thermal zones that speak for a processor (`x86_pkg_temp`, `cpu*`, `soc*`; where there is
/// none of them, the hottest `acpitz`), unless `processor_known`; and those in `named` (type or
/// "thermal_zone3").
[[nodiscard]] std::vector<Part> find_zones(FileReader& sysfs, bool processor_known,
                                           const std::vector<std::string>& named);

}  // namespace ollama_proxy::monitors
