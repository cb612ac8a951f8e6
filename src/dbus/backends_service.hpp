#pragma once

#include "dbus/exported_object.hpp"
#include "dbus/paced.hpp"
#include "ollama_proxy/router/router.hpp"

#include <map>
#include <string>

namespace ollama_proxy::dbus {

/// ie.fio.OllamaProxy.Backends. Thread: the bus thread only.
class BackendsService {
  public:
    BackendsService(boost::asio::io_context& context, BusLink& link, router::Router& router);

    void attach(sdbus::IConnection& connection);
    void detach() { object_.detach(); }
    [[nodiscard]] const std::string& name() const { return object_.name(); }

    /// A backend has changed, has come or has gone.
    void refresh() { paced_.touch(); }

  private:
    struct Known {
        std::string name;
        bool healthy = false;
    };
    using KnownBackends = std::map<std::string, Known>;

    [[nodiscard]] InterfaceSpec spec();
    [[nodiscard]] KnownBackends known_now() const;
    void tell();

    router::Router& router_;
    ExportedObject object_;
    KnownBackends told_;
    Paced paced_;
};

}  // namespace ollama_proxy::dbus
