#include "dbus/sleep_watch.hpp"

#include <string>
#include <utility>

namespace ollama_proxy::dbus {
namespace {

constexpr const char* kName = "org.freedesktop.login1";
constexpr const char* kPath = "/org/freedesktop/login1";
constexpr const char* kManager = "org.freedesktop.login1.Manager";
constexpr const char* kPrepareForSleep =
    "type='signal',sender='org.freedesktop.login1',"
    "interface='org.freedesktop.login1.Manager',member='PrepareForSleep'";

}  // namespace

void SleepWatch::attach(sdbus::IConnection& connection) {
    logind_ = new_proxy(connection, kName, kPath);
    match_ = add_match(connection, kPrepareForSleep, [this](sdbus::Message& message) {
        bool sleeping = false;
        message >> sleeping;
        hear(sleeping);
    });
    update_inhibitor();
}

void SleepWatch::detach() {
    match_.reset();
    logind_.reset();
    inhibitor_.reset();
    asked_ = false;
    hear(false);
}

void SleepWatch::set_busy(bool busy) {
    busy_ = busy;
    update_inhibitor();
}

void SleepWatch::hear(bool sleeping) {
    if (std::exchange(sleeping_, sleeping) != sleeping) tell_(sleeping);
    // only now: with it the machine would not have waited
    update_inhibitor();
}

void SleepWatch::update_inhibitor() {
    const bool wanted = busy_ && !sleeping_;
    if (!wanted) inhibitor_.reset();
    if (!wanted || inhibitor_ || asked_ || !logind_) return;
    asked_ = true;
    link_.use([&](sdbus::IConnection&) {
        auto call = new_call(*logind_, kManager, "Inhibit");
        call << std::string("sleep") << std::string("Ollama Proxy")
             << std::string("Requests are being answered") << std::string("delay");
        call_async(*logind_, call, [this](auto& reply, const auto* error) {
            asked_ = false;
            if (error || !busy_ || sleeping_) return;
            sdbus::UnixFd lock;
            reply >> lock;
            inhibitor_ = std::move(lock);
        });
    });
}

}  // namespace ollama_proxy::dbus
