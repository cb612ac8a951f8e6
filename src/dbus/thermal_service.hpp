#pragma once

#include "dbus/exported_object.hpp"
#include "dbus/paced.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/monitors/resource_monitor.hpp"

#include <cstdint>
#include <string>

namespace ollama_proxy::dbus {

/// ie.fio.OllamaProxy.Thermal. Thread: the bus thread only.
class ThermalService {
  public:
    ThermalService(boost::asio::io_context& context, BusLink& link,
                   monitors::ResourceMonitor& monitor, efficiency::Controller& controller);

    void attach(sdbus::IConnection& connection);
    void detach() { object_.detach(); }
    [[nodiscard]] const std::string& name() const { return object_.name(); }

    /// There is a new snapshot.
    void refresh();

  private:
    [[nodiscard]] InterfaceSpec spec();
    void tell();

    monitors::ResourceMonitor& monitor_;
    efficiency::Controller& controller_;
    ExportedObject object_;
    std::uint64_t told_events_ = 0;
    Paced paced_;
};

}  // namespace ollama_proxy::dbus
