#pragma once

#include "dbus/bus_link.hpp"
#include "dbus/notifier.hpp"

#include <map>
#include <memory>
#include <optional>

namespace ollama_proxy::dbus {

/// Hands notes to the desktop's notification server; a later one of a kind replaces the earlier.
/// Where there is no server nothing happens. Thread: the bus thread only.
class NotificationSender {
  public:
    explicit NotificationSender(BusLink& link) : link_(link) {}

    void attach(sdbus::IConnection& connection);
    void detach();
    void send(Note note);

  private:
    /// The one notification of a kind.
    struct Place {
        std::uint32_t id = 0;      ///< what the server calls it; 0: none yet
        bool on_its_way = false;   ///< its id is not known yet
        std::optional<Note> next;  ///< the newest that came meanwhile
    };
    void pass_on(const Note& note);

    BusLink& link_;
    std::unique_ptr<sdbus::IProxy> server_;
    std::map<efficiency::NotificationKind, Place> places_;
};

}  // namespace ollama_proxy::dbus
