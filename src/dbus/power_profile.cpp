#include "dbus/power_profile.hpp"

#include <array>
#include <map>

namespace ollama_proxy::dbus {
namespace {

constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kActive = "ActiveProfile";

struct Daemon {
    const char* name;  ///< of the service and of its interface
    const char* path;
};
constexpr std::array kDaemons{
    Daemon{"org.freedesktop.UPower.PowerProfiles", "/org/freedesktop/UPower/PowerProfiles"},
    Daemon{"net.hadess.PowerProfiles", "/net/hadess/PowerProfiles"}};

}  // namespace

void PowerProfileWatch::attach(sdbus::IConnection& connection) {
    for (std::size_t i = 0; i < kDaemons.size(); ++i) {
        const Daemon& daemon = kDaemons[i];
        daemons_.push_back(new_proxy(connection, daemon.name, daemon.path));
        const std::string name = daemon.name;
        const auto again = [this](sdbus::Message&) { ask(0); };
        matches_.push_back(add_match(connection,
                                     "type='signal',sender='" + name + "',interface='" +
                                         kProperties + "',member='PropertiesChanged',path='" +
                                         daemon.path + "'",
                                     again));
        matches_.push_back(add_match(connection,
                                     "type='signal',sender='org.freedesktop.DBus',interface='org."
                                     "freedesktop.DBus',member='NameOwnerChanged',arg0='" +
                                         name + "'",
                                     again));
    }
    ask(0);
}

void PowerProfileWatch::detach() {
    matches_.clear();
    daemons_.clear();
    tell_(std::nullopt);
}

/// Asks the daemon of that name, and where there is none the next.
void PowerProfileWatch::ask(std::size_t name) {
    if (name >= daemons_.size()) {
        tell_(std::nullopt);
        return;
    }
    link_.use([&](sdbus::IConnection&) {
        auto call = new_call(*daemons_[name], kProperties, "Get");
        call << std::string(kDaemons[name].name) << std::string(kActive);
        call_async(*daemons_[name], call, [this, name](auto& reply, const auto* error) {
            if (error) {
                ask(name + 1);
                return;
            }
            sdbus::Variant value;
            reply >> value;
            tell_(value.get<std::string>());
        });
    });
}

}  // namespace ollama_proxy::dbus
