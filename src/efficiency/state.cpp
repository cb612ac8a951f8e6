#include "ollama_proxy/efficiency/state.hpp"

#include <algorithm>
#include <array>

namespace ollama_proxy::efficiency {
namespace {

using config::Mode;

template <class E>
struct Word {
    std::string_view text;
    E value;
};

constexpr std::array kProfiles{
    Word{"power-saver", PowerProfile::power_saver}, Word{"balanced", PowerProfile::balanced},
    Word{"performance", PowerProfile::performance}, Word{"unknown", PowerProfile::unknown}};

constexpr std::array<Word<NotificationKind>, kNotificationKinds> kKinds{
    {{"mode_changes", NotificationKind::mode_changes},
     {"backend_health", NotificationKind::backend_health},
     {"thermal", NotificationKind::thermal},
     {"low_battery", NotificationKind::low_battery},
     {"device_lost", NotificationKind::device_lost}}};

constexpr std::array kModes{Mode::performance, Mode::balanced,  Mode::efficiency,
                            Mode::quiet,       Mode::automatic, Mode::ultra_efficiency};

template <class Words>
std::string_view text_of(const Words& words, auto value) {
    for (const auto& word : words) {
        if (word.value == value) return word.text;
    }
    return "unknown";
}

}  // namespace

std::string_view to_string(PowerProfile profile) { return text_of(kProfiles, profile); }

PowerProfile parse_power_profile(std::string_view text) {
    const auto* const found = std::ranges::find(kProfiles, text, &Word<PowerProfile>::text);
    return found == kProfiles.end() ? PowerProfile::unknown : found->value;
}

std::string_view to_string(NotificationKind kind) { return text_of(kKinds, kind); }

std::optional<NotificationKind> parse_notification_kind(std::string_view text) {
    const auto* const found = std::ranges::find(kKinds, text, &Word<NotificationKind>::text);
    if (found == kKinds.end()) return std::nullopt;
    return found->value;
}

std::span<const Mode> available_modes() { return kModes; }

Result<Mode> mode_from_text(std::string_view text) {
    if (const auto mode = config::parse_mode(text)) return *mode;
    std::string list;
    for (const Mode mode : kModes) {
        list.append(list.empty() ? "" : ", ").append(config::to_string(mode));
    }
    constexpr std::size_t kShown = 40;  // what a client sent is not given back at length
    const std::string shown(text.substr(0, kShown));
    return make_error(Errc::invalid_request,
                      "'" + shown + (text.size() > kShown ? "..." : "") +
                          "' is no efficiency mode; the modes are " + list,
                      "mode");
}

}  // namespace ollama_proxy::efficiency
