#pragma once

#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/policy.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ollama_proxy::efficiency {

/// How hot the machine is, as far as the choice of a mode cares.
enum class Heat : std::uint8_t {
    unknown,   ///< no temperature can be read: neither hot nor cool
    normal,    ///< at or below the recovery temperature
    warm,      ///< between recovery and high: a heat override that is on stays on
    high,      ///< Auto becomes Quiet
    critical,  ///< every mode becomes UltraEfficiency
};

/// The power profile of power-profiles-daemon.
enum class PowerProfile : std::uint8_t {
    unknown,      ///< no such daemon
    power_saver,  ///< Auto: at most Efficiency
    balanced,     ///< changes nothing
    performance,  ///< Auto: at least Balanced
};
/// "power-saver", "balanced", "performance"; "unknown".
[[nodiscard]] std::string_view to_string(PowerProfile profile);
/// The daemon's own words; anything else is `unknown`.
[[nodiscard]] PowerProfile parse_power_profile(std::string_view text);

/// What is known of the machine, reduced to what the choice of a mode reads. Absent = not known.
struct Surroundings {
    Heat heat = Heat::unknown;
    std::optional<double> hottest_c;  ///< hotter of CPU and GPU
    std::optional<double> cpu_c;
    std::optional<bool> on_battery;         ///< absent: no supply can be read
    std::optional<double> battery_percent;  ///< of all batteries together; absent: there is none
    PowerProfile profile = PowerProfile::unknown;

    friend bool operator==(const Surroundings&, const Surroundings&) = default;
};

/// A machine that was read and has no battery is plugged in. A snapshot from before the first
/// reading tells nothing.
[[nodiscard]] Surroundings surroundings_of(const monitors::SystemSnapshot& snapshot);

/// Kinds of desktop notifications, each of which can be switched off.
enum class NotificationKind : std::uint8_t {
    mode_changes,    ///< Auto or heat changed the mode
    backend_health,  ///< a backend is down, or back
    thermal,         ///< high, critical, normal again
    low_battery,     ///< the battery made the mode more frugal
    device_lost,     ///< a GPU did not come back after the machine slept
};
inline constexpr std::size_t kNotificationKinds = 5;
[[nodiscard]] std::string_view to_string(NotificationKind kind);
[[nodiscard]] std::optional<NotificationKind> parse_notification_kind(std::string_view text);

using NotificationSwitches = std::map<NotificationKind, bool>;

/// The efficiency mode at one moment; immutable once published.
struct State {
    config::Mode mode = config::Mode::balanced;       ///< what the user set
    config::Mode effective = config::Mode::balanced;  ///< what applies now, never `automatic`
    std::string reason = "user";  ///< user, battery-42, ac-connected, thermal-high-87, ...
    std::shared_ptr<const Policy> policy;
    config::QuietHours quiet_hours;
    NotificationSwitches notifications;  ///< every kind has its entry
    Surroundings surroundings;
};
using StatePtr = std::shared_ptr<const State>;

/// One change of the effective mode, or of the mode that the user set.
struct Transition {
    std::int64_t unix_ms = 0;
    config::Mode mode = config::Mode::balanced;  ///< set by the user, afterwards
    config::Mode from = config::Mode::balanced;  ///< effective before
    config::Mode to = config::Mode::balanced;    ///< effective afterwards
    std::string reason;
};
inline constexpr std::size_t kHistoryLimit = 1000;

/// What a user may change; what is absent stays.
struct Change {
    std::optional<config::Mode> mode;
    std::optional<config::QuietHours> quiet_hours;
    NotificationSwitches notifications;  ///< these kinds only
};

/// The six, in the order of the documentation.
[[nodiscard]] std::span<const config::Mode> available_modes();

/// 400 with the list of modes in it.
[[nodiscard]] Result<config::Mode> mode_from_text(std::string_view text);

}  // namespace ollama_proxy::efficiency
