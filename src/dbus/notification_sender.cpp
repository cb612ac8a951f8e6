#include "dbus/notification_sender.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::dbus {
namespace {

constexpr const char* kName = "org.freedesktop.Notifications";
constexpr const char* kPath = "/org/freedesktop/Notifications";

}  // namespace

void NotificationSender::attach(sdbus::IConnection& connection) {
    server_ = new_proxy(connection, kName, kPath);
}

void NotificationSender::detach() {
    server_.reset();
    places_.clear();
}

void NotificationSender::send(Note note) {
    if (!server_) return;
    Place& place = places_[note.kind];
    if (place.on_its_way) {
        place.next = std::move(note);
    } else {
        pass_on(note);
    }
}

void NotificationSender::pass_on(const Note& note) {
    Place& place = places_[note.kind];
    place.on_its_way = true;
    link_.use([&](sdbus::IConnection&) {
        auto call = new_call(*server_, kName, "Notify");
        const std::map<std::string, sdbus::Variant> hints{
            {"urgency", sdbus::Variant(static_cast<std::uint8_t>(note.urgency))},
            {"desktop-entry", sdbus::Variant(std::string("ie.fio.ollamaproxy"))}};
        constexpr std::int32_t kAsTheServerLikes = -1;
        call << std::string("Ollama Proxy") << place.id << std::string("ollama-proxy")
             << note.summary << note.body << std::vector<std::string>{} << hints
             << kAsTheServerLikes;
        call_async(*server_, call, [this, kind = note.kind](auto& reply, const auto* error) {
            Place& told = places_[kind];
            told.on_its_way = false;
            told.id = 0;
            if (!error) reply >> told.id;
            if (auto next = std::exchange(told.next, std::nullopt)) pass_on(*next);
        });
    });
}

}  // namespace ollama_proxy::dbus
