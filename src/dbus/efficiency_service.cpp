#include "dbus/efficiency_service.hpp"

#include <boost/asio/post.hpp>

#include <limits>

namespace ollama_proxy::dbus {
using config::QuietHours;
using efficiency::NotificationSwitches;

namespace {

/// Changes that may be under way at once; a peer that sends more has to slow down.
constexpr std::size_t kWishes = 64;
constexpr std::int32_t kHours = 24;

std::string text(config::Mode mode) { return std::string(config::to_string(mode)); }

using WireQuietHours = sdbus::Struct<bool, std::int32_t, std::int32_t>;

WireQuietHours to_wire(const QuietHours& quiet) {
    return WireQuietHours{quiet.enabled, static_cast<std::int32_t>(quiet.start_hour),
                          static_cast<std::int32_t>(quiet.end_hour)};
}

unsigned hour(std::int32_t value, const char* which) {
    if (value >= 0 && value < kHours) return static_cast<unsigned>(value);
    throw invalid_args(std::string("the ") + which + " of the quiet hours must be 0 to 23, not " +
                       std::to_string(value));
}

std::map<std::string, bool> to_wire(const NotificationSwitches& switches) {
    std::map<std::string, bool> out;
    for (const auto& [kind, on] : switches) out[std::string(efficiency::to_string(kind))] = on;
    return out;
}

NotificationSwitches switches_of(const std::map<std::string, bool>& wire) {
    NotificationSwitches out;
    for (const auto& [name, on] : wire) {
        const auto kind = efficiency::parse_notification_kind(name);
        if (!kind) {
            throw invalid_args(
                "there is no such kind of notification; the kinds are mode_changes, "
                "backend_health, thermal, low_battery and device_lost");
        }
        out[*kind] = on;
    }
    return out;
}

bool same(const QuietHours& a, const QuietHours& b) {
    return a.enabled == b.enabled && a.start_hour == b.start_hour && a.end_hour == b.end_hour;
}

}  // namespace

EfficiencyService::EfficiencyService(boost::asio::io_context& context, BusLink& link,
                                     efficiency::Controller& controller)
    : context_(context),
      controller_(controller),
      object_(link, "Efficiency"),
      told_(controller.state()),
      paced_(context, [this] { tell(); }) {}

void EfficiencyService::attach(sdbus::IConnection& connection) {
    told_ = controller_.state();
    object_.attach(connection, spec());
}

void EfficiencyService::detach() {
    calls_.clear();
    object_.detach();
}

InterfaceSpec EfficiencyService::spec() {
    InterfaceSpec spec;
    spec.methods = {
        {"SetEfficiencyMode", "s", {"mode"}, "", {}, [this](auto call) { set_mode(call); }},
        {"GetEfficiencyMode",
         "",
         {},
         "s",
         {"mode"},
         [this](const auto& call) { reply_to(call, text(controller_.state()->mode)); }},
        {"GetAvailableModes", "", {}, "as", {"modes"}, [](const auto& call) {
             std::vector<std::string> modes;
             for (const auto mode : efficiency::available_modes()) modes.push_back(text(mode));
             reply_to(call, modes);
         }}};
    spec.properties = {
        {"CurrentMode", "s", [this](auto& reply) { reply << text(controller_.state()->mode); }, {}},
        {"EffectiveMode",
         "s",
         [this](auto& reply) { reply << text(controller_.state()->effective); },
         {}},
        {"Reason", "s", [this](auto& reply) { reply << controller_.state()->reason; }, {}},
        {"AutoModeEnabled",
         "b",
         [this](auto& reply) { reply << (controller_.state()->mode == config::Mode::automatic); },
         {}},
        {"QuietHours", "(bii)", [this](auto& reply) { reply << to_wire(quiet_hours()); },
         [this](auto& call) { set_quiet_hours(call); }},
        {"Notifications", "a{sb}", [this](auto& reply) { reply << to_wire(notifications()); },
         [this](auto& call) { set_notifications(call); }}};
    spec.signals = {{"ModeChanged", "sss", {"old_mode", "new_mode", "reason"}}};
    return spec;
}

void EfficiencyService::set_mode(sdbus::MethodCall call) {
    std::string name;
    call >> name;
    const auto mode = efficiency::mode_from_text(name);
    if (!mode) throw invalid_args(mode.error().message);
    efficiency::Change change;
    change.mode = *mode;
    const std::uint64_t id = next_wish_++;
    wish(std::move(change), id);
    calls_.emplace(id, std::move(call));
}

void EfficiencyService::set_quiet_hours(sdbus::PropertySetCall& call) {
    WireQuietHours wire;
    call >> wire;
    efficiency::Change change;
    change.quiet_hours =
        QuietHours{wire.get<0>(), hour(wire.get<1>(), "start"), hour(wire.get<2>(), "end")};
    wish(std::move(change), 0);
}

void EfficiencyService::set_notifications(sdbus::PropertySetCall& call) {
    std::map<std::string, bool> wire;
    call >> wire;
    efficiency::Change change;
    change.notifications = switches_of(wire);
    wish(std::move(change), 0);
}

/// Hands a change to the controller; when it has taken effect the call `answer_to` is answered.
void EfficiencyService::wish(efficiency::Change change, std::uint64_t answer_to) {
    if (wishes_ >= kWishes) {
        throw limits_exceeded("too many changes at once: wait for the answers to earlier ones");
    }
    ++wishes_;
    if (change.quiet_hours) wished_.quiet_hours = change.quiet_hours;
    for (const auto& [kind, on] : change.notifications) wished_.notifications[kind] = on;
    controller_.change(std::move(change), [this, answer_to](const efficiency::StatePtr&) {
        boost::asio::post(context_, [this, answer_to] { done(answer_to); });
    });
}

void EfficiencyService::done(std::uint64_t answered) {
    if (--wishes_ == 0) wished_ = {};
    const auto found = calls_.find(answered);
    if (found == calls_.end()) return;
    const sdbus::MethodCall call = std::move(found->second);
    calls_.erase(found);
    object_.use([&] { reply_to(call); });
}

QuietHours EfficiencyService::quiet_hours() const {
    return wished_.quiet_hours.value_or(controller_.state()->quiet_hours);
}

NotificationSwitches EfficiencyService::notifications() const {
    NotificationSwitches out = controller_.state()->notifications;
    for (const auto& [kind, on] : wished_.notifications) out[kind] = on;
    return out;
}

void EfficiencyService::tell() {
    const efficiency::StatePtr now = controller_.state();
    const efficiency::StatePtr before = std::exchange(told_, now);
    std::vector<std::string> changed;
    if (before->mode != now->mode) changed.emplace_back("CurrentMode");
    if (before->effective != now->effective) changed.emplace_back("EffectiveMode");
    if (before->reason != now->reason) changed.emplace_back("Reason");
    const auto is_auto = [](const auto& state) { return state->mode == config::Mode::automatic; };
    if (is_auto(before) != is_auto(now)) changed.emplace_back("AutoModeEnabled");
    if (!same(before->quiet_hours, now->quiet_hours)) changed.emplace_back("QuietHours");
    if (before->notifications != now->notifications) changed.emplace_back("Notifications");
    object_.emit_changed(changed);
    if (before->effective != now->effective || before->mode != now->mode) {
        object_.emit("ModeChanged", text(before->effective), text(now->effective), now->reason);
    }
}

}  // namespace ollama_proxy::dbus
