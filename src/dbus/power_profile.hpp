#pragma once

#include "dbus/bus_link.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::dbus {

/// The active profile of power-profiles-daemon, under its new name and under its old one.
/// Thread: the bus thread only.
class PowerProfileWatch {
  public:
    /// Nothing: there is no such daemon.
    using Tell = std::function<void(std::optional<std::string> profile)>;

    PowerProfileWatch(BusLink& link, Tell tell) : link_(link), tell_(std::move(tell)) {}

    void attach(sdbus::IConnection& connection);
    void detach();

  private:
    void ask(std::size_t name);

    BusLink& link_;
    const Tell tell_;
    std::vector<sdbus::Slot> matches_;
    std::vector<std::unique_ptr<sdbus::IProxy>> daemons_;  ///< by name, new one first
};

}  // namespace ollama_proxy::dbus
