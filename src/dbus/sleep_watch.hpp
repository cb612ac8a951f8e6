#pragma once

#include "dbus/bus_link.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace ollama_proxy::dbus {

/// logind: hears when the machine is about to sleep and when it is awake again, and holds a delay
/// inhibitor while requests are in flight, so that there is time to stop admitting them.
/// Thread: the bus thread only.
class SleepWatch {
  public:
    using Tell = std::function<void(bool sleeping)>;

    SleepWatch(BusLink& link, Tell tell) : link_(link), tell_(std::move(tell)) {}

    void attach(sdbus::IConnection& connection);
    /// Without logind nobody would say that the machine is awake: it counts as awake.
    void detach();
    void set_busy(bool busy);

  private:
    void hear(bool sleeping);
    void update_inhibitor();

    BusLink& link_;
    const Tell tell_;
    std::unique_ptr<sdbus::IProxy> logind_;
    std::optional<sdbus::Slot> match_;
    std::optional<sdbus::UnixFd> inhibitor_;
    bool asked_ = false;  ///< for an inhibitor that has not come yet
    bool busy_ = false;
    bool sleeping_ = false;
};

}  // namespace ollama_proxy::dbus
