#pragma once

#include "monitors/file_reader.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::monitors {

// Numbers as the kernel writes them. Whatever is not one is "not known".

/// A whole decimal number with nothing around it.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

[[nodiscard]] std::optional<std::int64_t> read_integer(FileReader& files, const std::string& path);

/// Millidegrees to degrees Celsius; what no sensor of a running machine can mean (below -40, above
/// 150, and exactly 0 or -1, which drivers give when they have nothing) is not known.
[[nodiscard]] std::optional<double> read_celsius(FileReader& files, const std::string& path);

/// A count of millionths (volts, amperes, watts, joules, hours of them) that is not negative.
[[nodiscard]] std::optional<double> read_micro(FileReader& files, const std::string& path);

/// The text of a file, empty when it cannot be read.
[[nodiscard]] std::string read_text(FileReader& files, const std::string& path);

/// True when this device is in runtime suspend: nothing else of it may be opened then.
/// Looks at `<device>/power/runtime_status` only.
[[nodiscard]] bool is_asleep(FileReader& files, const std::string& device);

/// "0000:01:00.0"
[[nodiscard]] bool is_pci_address(std::string_view name);

/// "/sys/class/hwmon/hwmon3" -> "hwmon3"; a name without a slash stays as it is.
[[nodiscard]] std::string last_component(std::string_view path);

}  // namespace ollama_proxy::monitors
