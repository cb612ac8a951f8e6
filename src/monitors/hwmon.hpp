#pragma once

#include "monitors/file_reader.hpp"
#include "monitors/part.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::monitors {

/// Which of a chip's temperatures are opened: reading one of a core's wakes that core.
enum class TemperaturesWanted {
    none,
    processor,  ///< the one of the whole package, where there is one
    all,
};

/// Temperatures, fans, power and energy of one chip, `dir` as in "class/hwmon/hwmon3"; formats as
/// in the kernel's Documentation/hwmon/sysfs-interface.rst. The device must be awake.
void read_chip(FileReader& sysfs, const std::string& dir, TemperaturesWanted wanted, Part& part);

/// True for chips of a processor ("coretemp").
[[nodiscard]] bool is_cpu_chip(std::string_view driver);
/// True for chips of a GPU ("amdgpu"): those are reached through their card.
[[nodiscard]] bool is_gpu_chip(std::string_view driver);

/// All chips but those of GPUs: processors with temperatures, those in `named` (driver or "hwmon3")
/// with all they have, and of the rest those with a fan.
[[nodiscard]] std::vector<Part> find_chips(FileReader& sysfs,
                                           const std::vector<std::string>& named);

}  // namespace ollama_proxy::monitors
