#include "efficiency/mode_rules.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace ollama_proxy::efficiency {
namespace {

using config::Mode;

constexpr double kFullOnMains = 80;
constexpr double kLow = 50;
constexpr double kLowLeaves = 55;
constexpr double kVeryLow = 20;
constexpr double kVeryLowLeaves = 30;

/// From the most power-hungry to the most frugal.
constexpr std::array kByFrugality{Mode::performance, Mode::balanced, Mode::efficiency, Mode::quiet,
                                  Mode::ultra_efficiency};

std::ptrdiff_t frugality(Mode mode) {
    return std::ranges::find(kByFrugality, mode) - kByFrugality.begin();
}

std::string battery_reason(const Surroundings& around) {
    if (!around.battery_percent) return "on-battery";
    return "battery-" + std::to_string(std::lround(*around.battery_percent));
}

Verdict power_verdict(const Surroundings& around, PowerBand band) {
    switch (band) {
        case PowerBand::unknown:
            return {Mode::balanced, "power-unknown", band};
        case PowerBand::mains:
            return {!around.battery_percent || *around.battery_percent > kFullOnMains
                        ? Mode::performance
                        : Mode::balanced,
                    "ac-connected", band};
        case PowerBand::plenty:
            return {Mode::balanced, battery_reason(around), band};
        case PowerBand::low:
            return {Mode::efficiency, battery_reason(around), band};
        case PowerBand::very_low:
            break;
    }
    return {Mode::ultra_efficiency, battery_reason(around), band};
}

}  // namespace

PowerBand power_band(const Surroundings& around, PowerBand before) {
    if (!around.on_battery) return PowerBand::unknown;
    if (!*around.on_battery) return PowerBand::mains;
    if (!around.battery_percent) return PowerBand::plenty;
    const double percent = *around.battery_percent;
    const bool was_very_low = before == PowerBand::very_low;
    if (percent < (was_very_low ? kVeryLowLeaves : kVeryLow)) return PowerBand::very_low;
    const bool was_low = was_very_low || before == PowerBand::low;
    return percent < (was_low ? kLowLeaves : kLow) ? PowerBand::low : PowerBand::plenty;
}

Verdict auto_verdict(const Surroundings& around, bool quiet_now, PowerBand before) {
    Verdict verdict = power_verdict(around, power_band(around, before));
    const auto change_to = [&](Mode mode, const char* reason) {
        verdict.effective = mode;
        verdict.reason = reason;
    };
    if (around.profile == PowerProfile::power_saver &&
        frugality(verdict.effective) < frugality(Mode::efficiency)) {
        change_to(Mode::efficiency, "power-profile");
    }
    if (around.profile == PowerProfile::performance &&
        frugality(verdict.effective) > frugality(Mode::balanced)) {
        change_to(Mode::balanced, "power-profile");
    }
    // last: silence at night is a wish about this very thing, and UltraEfficiency is silent too
    if (quiet_now && frugality(verdict.effective) < frugality(Mode::quiet)) {
        change_to(Mode::quiet, "quiet-hours");
    }
    return verdict;
}

bool is_quiet_hour(const config::QuietHours& quiet, unsigned hour) {
    if (!quiet.enabled) return false;
    if (quiet.start_hour <= quiet.end_hour) {
        return hour >= quiet.start_hour && hour < quiet.end_hour;
    }
    return hour >= quiet.start_hour || hour < quiet.end_hour;
}

std::chrono::seconds until_quiet_boundary(const config::QuietHours& quiet,
                                          std::chrono::seconds time_of_day) {
    constexpr std::chrono::seconds kDay = std::chrono::hours(24);
    const auto until = [&](unsigned hour) {
        const auto left = (std::chrono::hours(hour) - time_of_day + kDay) % kDay;
        return left.count() > 0 ? left : kDay;
    };
    return std::min(until(quiet.start_hour), until(quiet.end_hour));
}

}  // namespace ollama_proxy::efficiency
