#pragma once

#include "ollama_proxy/efficiency/state.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::efficiency {

/// What the user has set by hand and the daemon keeps over a restart; the rest follows the
/// configuration.
struct Remembered {
    std::optional<config::Mode> mode;
    std::optional<config::QuietHours> quiet_hours;
    NotificationSwitches notifications;

    void take(const Change& change);
};

/// The name of its file in the state directory.
inline constexpr std::string_view kRememberedFile = "efficiency.json";

[[nodiscard]] std::string to_json(const Remembered& remembered);
/// Nothing for a text that is not ours: damaged, or of a version that is not known.
[[nodiscard]] std::optional<Remembered> remembered_from_json(std::string_view text);

}  // namespace ollama_proxy::efficiency
