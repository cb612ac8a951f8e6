#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/efficiency/state.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"
#include "ollama_proxy/router/news.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::dbus {

/// As the notification specification counts them.
enum class Urgency : std::uint8_t { low = 0, normal = 1, critical = 2 };

struct Note {
    efficiency::NotificationKind kind = efficiency::NotificationKind::mode_changes;
    std::string summary;
    std::string body;  ///< escaped: servers may read markup
    Urgency urgency = Urgency::normal;
};

/// What is worth a notification on the desktop. Pure: news and `now` come from outside.
class Notifier {
  public:
    /// Auto or heat changed the mode; what the user did needs no telling.
    [[nodiscard]] static std::optional<Note> on_state(const efficiency::State& before,
                                                      const efficiency::State& now);
    /// A backend is down, or back; the first verdict is no news.
    [[nodiscard]] static std::optional<Note> on_health(
        const router::HealthNews& news, const efficiency::NotificationSwitches& switches);
    /// At most one a minute of each kind of event; "normal again" only after something was told.
    [[nodiscard]] std::optional<Note> on_thermal(const monitors::ThermalEvent& event,
                                                 const efficiency::NotificationSwitches& switches,
                                                 TimePoint now);

    /// The machine is about to sleep: these devices were there.
    void on_sleep(const monitors::SystemSnapshot& snapshot);
    void on_wake(TimePoint now);
    /// Devices that are gone after waking up, told once, when they had time to come back.
    [[nodiscard]] std::optional<Note> on_reading(const monitors::SystemSnapshot& snapshot,
                                                 const efficiency::NotificationSwitches& switches);

  private:
    std::map<monitors::ThermalEventKind, TimePoint> thermal_told_;
    bool heat_told_ = false;
    std::vector<std::string> before_sleep_;  ///< backends whose device could be read
    std::optional<TimePoint> woke_;
};

/// `&`, `<` and `>` as entities.
[[nodiscard]] std::string escape_markup(std::string_view text);

}  // namespace ollama_proxy::dbus
