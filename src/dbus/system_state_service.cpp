#include "dbus/system_state_service.hpp"

#include "dbus/numbers.hpp"

#include <utility>
#include <vector>

namespace ollama_proxy::dbus {

SystemStateService::SystemStateService(boost::asio::io_context& context, BusLink& link,
                                       monitors::ResourceMonitor& monitor)
    : monitor_(monitor), object_(link, "SystemState"), paced_(context, [this] { tell(); }) {}

void SystemStateService::attach(sdbus::IConnection& connection) {
    told_ = now();
    object_.attach(connection, spec());
}

SystemStateService::Shown SystemStateService::now() const {
    const auto snapshot = monitor_.snapshot();
    Shown shown;
    shown.on_battery = snapshot->power.on_battery.value_or(false);
    if (snapshot->power.battery) {
        shown.level = to_int(snapshot->power.battery->level);
        shown.minutes = to_int(snapshot->power.battery->minutes_left);
    }
    shown.profile = snapshot->external.power_profile.value_or("unknown");
    return shown;
}

InterfaceSpec SystemStateService::spec() {
    InterfaceSpec spec;
    spec.methods = {{"GetBatteryState",
                     "",
                     {},
                     "ibi",
                     {"level", "on_battery", "minutes_left"},
                     [this](const auto& call) {
                         const Shown shown = now();
                         reply_to(call, shown.level, shown.on_battery, shown.minutes);
                     }},
                    {"GetPowerProfile", "", {}, "s", {"profile"}, [this](const auto& call) {
                         reply_to(call, now().profile);
                     }}};
    spec.properties = {{"OnBattery", "b", [this](auto& reply) { reply << now().on_battery; }, {}},
                       {"BatteryLevel", "i", [this](auto& reply) { reply << now().level; }, {}},
                       {"PowerProfile", "s", [this](auto& reply) { reply << now().profile; }, {}}};
    spec.signals = {{"BatteryStateChanged", "ib", {"level", "on_battery"}},
                    {"PowerProfileChanged", "ss", {"old_profile", "new_profile"}}};
    return spec;
}

void SystemStateService::refresh() {
    const Shown shown = now();
    if (shown.on_battery != told_.on_battery || shown.level != told_.level ||
        shown.profile != told_.profile) {
        paced_.touch();
    }
}

void SystemStateService::tell() {
    const Shown shown = now();
    const Shown before = std::exchange(told_, shown);
    std::vector<std::string> changed;
    if (before.on_battery != shown.on_battery) changed.emplace_back("OnBattery");
    if (before.level != shown.level) changed.emplace_back("BatteryLevel");
    if (before.profile != shown.profile) changed.emplace_back("PowerProfile");
    object_.emit_changed(changed);
    if (before.on_battery != shown.on_battery || before.level != shown.level) {
        object_.emit("BatteryStateChanged", shown.level, shown.on_battery);
    }
    if (before.profile != shown.profile) {
        object_.emit("PowerProfileChanged", before.profile, shown.profile);
    }
}

}  // namespace ollama_proxy::dbus
