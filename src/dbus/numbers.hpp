#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

namespace ollama_proxy::dbus {

// D-Bus has no null: what is not known is NaN among doubles and -1 among integers.

inline constexpr std::int32_t kUnknownInt = -1;

[[nodiscard]] inline double or_nan(std::optional<double> value) {
    return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

/// Rounded, and held within the range of the type.
[[nodiscard]] inline std::int32_t to_int(double value) {
    constexpr double kMost = std::numeric_limits<std::int32_t>::max();
    if (std::isnan(value)) return kUnknownInt;
    return static_cast<std::int32_t>(std::lround(std::clamp(value, -kMost, kMost)));
}
[[nodiscard]] inline std::int32_t to_int(std::optional<double> value) {
    return value ? to_int(*value) : kUnknownInt;
}
[[nodiscard]] inline std::int32_t count_of(std::uint64_t count) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int32_t>(std::min(count, kMost));
}

}  // namespace ollama_proxy::dbus
