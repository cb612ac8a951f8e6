#pragma once

#include "ollama_proxy/efficiency/state.hpp"

#include <string>

namespace ollama_proxy::efficiency {

// The rules of Auto as functions of what is known (system contract, section 3). Pure.

/// Where the supply of power stands; the next look is stickier about leaving the lower ones.
enum class PowerBand : std::uint8_t {
    unknown,   ///< no supply can be read
    mains,     ///< plugged in
    plenty,    ///< on battery, half full or more
    low,       ///< on battery below 50 %, until 55 %
    very_low,  ///< on battery below 20 %, until 30 %
};

struct Verdict {
    config::Mode effective = config::Mode::balanced;
    std::string reason;
    PowerBand band = PowerBand::unknown;
};

/// The band for a reading, `before` being the band in force.
[[nodiscard]] PowerBand power_band(const Surroundings& around, PowerBand before);

/// What Auto asks for without any heat.
[[nodiscard]] Verdict auto_verdict(const Surroundings& around, bool quiet_now, PowerBand before);

/// Whether an hour of the day (0..23) is one of the quiet ones. Hours wrap around midnight; the
/// same start and end means none.
[[nodiscard]] bool is_quiet_hour(const config::QuietHours& quiet, unsigned hour);

/// Seconds from a local time of day until the quiet hours next begin or end; always above 0.
[[nodiscard]] std::chrono::seconds until_quiet_boundary(const config::QuietHours& quiet,
                                                        std::chrono::seconds time_of_day);

}  // namespace ollama_proxy::efficiency
