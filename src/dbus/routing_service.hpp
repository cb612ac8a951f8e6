#pragma once

#include "dbus/exported_object.hpp"
#include "dbus/paced.hpp"
#include "ollama_proxy/router/router.hpp"

#include <string>

namespace ollama_proxy::dbus {

/// ie.fio.OllamaProxy.Routing. Thread: the bus thread only.
class RoutingService {
  public:
    RoutingService(boost::asio::io_context& context, BusLink& link, router::Router& router);

    void attach(sdbus::IConnection& connection) { object_.attach(connection, spec()); }
    void detach() { object_.detach(); }
    [[nodiscard]] const std::string& name() const { return object_.name(); }

    /// There was a decision (only told when `dbus.routing_signals` is on).
    void refresh() { paced_.touch(); }

  private:
    [[nodiscard]] InterfaceSpec spec();

    router::Router& router_;
    ExportedObject object_;
    Paced paced_;
};

}  // namespace ollama_proxy::dbus
