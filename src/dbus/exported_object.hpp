#pragma once

#include "dbus/bus_link.hpp"
#include "dbus/sdbus_api.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ollama_proxy::dbus {

/// One of the five: its well-known name, its interface of the same name and its path. It outlives
/// connections. Thread: the bus thread only.
class ExportedObject {
  public:
    /// `part` is the last part of the name: "Efficiency".
    ExportedObject(BusLink& link, const std::string& part)
        : link_(link), name_("ie.fio.OllamaProxy." + part), path_("/ie/fio/OllamaProxy/" + part) {}

    [[nodiscard]] const std::string& name() const { return name_; }

    void attach(sdbus::IConnection& connection, InterfaceSpec spec) {
        spec.name = name_;
        object_ = export_object(connection, path_, spec);
    }
    void detach() { object_.reset(); }

    /// Something else that goes out on the object's connection.
    template <class Action>
    void use(Action action) {
        link_.use([&](sdbus::IConnection&) { action(); });
    }
    template <class... Arguments>
    void emit(const char* signal, const Arguments&... arguments) {
        if (!object_) return;
        link_.use([&](sdbus::IConnection&) {
            auto message = new_signal(*object_, name_, signal);
            (message << ... << arguments);
            object_->emitSignal(message);
        });
    }
    void emit_changed(const std::vector<std::string>& properties) {
        if (!object_ || properties.empty()) return;
        link_.use(
            [&](sdbus::IConnection&) { emit_properties_changed(*object_, name_, properties); });
    }

  private:
    BusLink& link_;
    const std::string name_;
    const std::string path_;
    std::unique_ptr<sdbus::IObject> object_;
};

/// Answers a call.
template <class... Values>
void reply_to(const sdbus::MethodCall& call, const Values&... values) {
    auto reply = call.createReply();
    (void)(reply << ... << values);
    reply.send();
}

}  // namespace ollama_proxy::dbus
