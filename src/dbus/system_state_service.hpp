#pragma once

#include "dbus/exported_object.hpp"
#include "dbus/paced.hpp"
#include "ollama_proxy/monitors/resource_monitor.hpp"

#include <string>

namespace ollama_proxy::dbus {

/// ie.fio.OllamaProxy.SystemState: battery and power profile. Thread: the bus thread only.
class SystemStateService {
  public:
    SystemStateService(boost::asio::io_context& context, BusLink& link,
                       monitors::ResourceMonitor& monitor);

    void attach(sdbus::IConnection& connection);
    void detach() { object_.detach(); }
    [[nodiscard]] const std::string& name() const { return object_.name(); }

    /// There is a new snapshot.
    void refresh();

  private:
    /// What is shown; of a machine without a battery level and minutes are -1.
    struct Shown {
        bool on_battery = false;
        std::int32_t level = -1;
        std::int32_t minutes = -1;
        std::string profile = "unknown";
    };
    [[nodiscard]] Shown now() const;
    [[nodiscard]] InterfaceSpec spec();
    void tell();

    monitors::ResourceMonitor& monitor_;
    ExportedObject object_;
    Shown told_;
    Paced paced_;
};

}  // namespace ollama_proxy::dbus
