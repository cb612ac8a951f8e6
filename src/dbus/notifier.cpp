#include "dbus/notifier.hpp"

#include <algorithm>
#include <cmath>

namespace ollama_proxy::dbus {
using efficiency::NotificationKind;
using efficiency::NotificationSwitches;
using efficiency::State;
using monitors::ThermalEventKind;

namespace {

constexpr std::chrono::minutes kThermalPause{1};
/// A driver may take a while to bring its device back.
constexpr std::chrono::seconds kTimeToWake{10};

bool is_on(const NotificationSwitches& switches, NotificationKind kind) {
    const auto found = switches.find(kind);
    return found == switches.end() || found->second;
}

std::string degrees(const monitors::ThermalEvent& event) {
    const auto hottest = std::max(event.cpu_c, event.gpu_c);  // nothing is less than anything
    return hottest ? std::to_string(std::lround(*hottest)) + " °C" : "";
}

struct ThermalText {
    ThermalEventKind kind;
    const char* summary;
    const char* body;
    Urgency urgency;
};
constexpr ThermalText kThermalTexts[] = {
    {ThermalEventKind::high, "The machine is hot", "Automatic mode becomes quiet.",
     Urgency::normal},
    {ThermalEventKind::critical, "The machine is critically hot",
     "Requests go to the most frugal hardware until it has cooled.", Urgency::critical},
    {ThermalEventKind::fan_stopped, "A fan stands still in the heat",
     "Requests go to the most frugal hardware until it has cooled.", Urgency::critical},
    {ThermalEventKind::recovery, "The machine has cooled down", "", Urgency::low}};

std::string battery_body(const State& state) {
    const auto percent = state.surroundings.battery_percent;
    if (!percent) return "On battery.";
    return "The battery is at " + std::to_string(std::lround(*percent)) + " %.";
}

std::string why(const State& state) {
    const std::string& reason = state.reason;
    if (reason.starts_with("thermal-critical")) return "The machine is critically hot.";
    if (reason.starts_with("thermal-high")) return "The machine is hot.";
    if (reason == "quiet-hours") return "Quiet hours.";
    if (reason == "power-profile") return "The power profile asks for it.";
    if (reason == "ac-connected") return "Plugged in.";
    if (reason.starts_with("battery") || reason == "on-battery") return battery_body(state);
    if (reason == "user") return "As you have set it.";
    return "";
}

}  // namespace

std::string escape_markup(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else {
            out += c;
        }
    }
    return out;
}

std::optional<Note> Notifier::on_state(const State& before, const State& now) {
    if (before.mode != now.mode || before.effective == now.effective) return std::nullopt;
    const bool frugal = now.effective == config::Mode::efficiency ||
                        now.effective == config::Mode::ultra_efficiency;
    const bool low = frugal && now.reason.starts_with("battery-");
    const auto kind = low ? NotificationKind::low_battery : NotificationKind::mode_changes;
    if (!is_on(now.notifications, kind)) return std::nullopt;
    return Note{kind, "AI efficiency: " + std::string(config::to_string(now.effective)), why(now),
                Urgency::normal};
}

std::optional<Note> Notifier::on_health(const router::HealthNews& news,
                                        const NotificationSwitches& switches) {
    if (news.first || !is_on(switches, NotificationKind::backend_health)) return std::nullopt;
    return Note{NotificationKind::backend_health,
                news.name + (news.healthy ? " is back" : " is down"), escape_markup(news.reason),
                news.healthy ? Urgency::low : Urgency::normal};
}

std::optional<Note> Notifier::on_thermal(const monitors::ThermalEvent& event,
                                         const NotificationSwitches& switches, TimePoint now) {
    const auto* text = std::ranges::find(std::begin(kThermalTexts), std::end(kThermalTexts),
                                         event.kind, &ThermalText::kind);
    if (text == std::end(kThermalTexts)) return std::nullopt;  // elevated: nothing happens yet
    const bool recovery = event.kind == ThermalEventKind::recovery;
    if (recovery && !heat_told_) return std::nullopt;
    if (!is_on(switches, NotificationKind::thermal)) return std::nullopt;
    const auto told = thermal_told_.find(event.kind);
    if (told != thermal_told_.end() && now - told->second < kThermalPause) return std::nullopt;
    thermal_told_[event.kind] = now;
    heat_told_ = !recovery;
    std::string body = degrees(event);
    if (*text->body) body += (body.empty() ? "" : ": ") + std::string(text->body);
    return Note{NotificationKind::thermal, text->summary, std::move(body), text->urgency};
}

void Notifier::on_sleep(const monitors::SystemSnapshot& snapshot) {
    before_sleep_.clear();
    woke_.reset();
    for (const auto& device : snapshot.devices) {
        const bool there = device.state == monitors::SensorState::ok ||
                           device.state == monitors::SensorState::asleep;
        if (there) before_sleep_.push_back(device.backend_id);
    }
}

void Notifier::on_wake(TimePoint now) { woke_ = now; }

std::optional<Note> Notifier::on_reading(const monitors::SystemSnapshot& snapshot,
                                         const NotificationSwitches& switches) {
    if (!woke_ || snapshot.taken_at < *woke_ + kTimeToWake) return std::nullopt;
    woke_.reset();
    std::string lost;
    for (const std::string& id : before_sleep_) {
        const auto* device = snapshot.find(id);
        if (!device || device->state != monitors::SensorState::missing) continue;
        lost += (lost.empty() ? "" : ", ") + id;
    }
    if (lost.empty() || !is_on(switches, NotificationKind::device_lost)) return std::nullopt;
    return Note{NotificationKind::device_lost, "A device did not wake up",
                "No longer there after sleeping: " + escape_markup(lost), Urgency::critical};
}

}  // namespace ollama_proxy::dbus
