#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/monitors/resource_monitor.hpp"
#include "ollama_proxy/router/router.hpp"

#include <memory>

namespace ollama_proxy::app {

/// D-Bus where this build has it: the only place that knows whether it has. Without, nothing
/// happens. Same rules as `dbus::Service`.
class DesktopBus {
  public:
    DesktopBus(router::Router& router, efficiency::Controller& controller,
               monitors::ResourceMonitor& monitor, std::shared_ptr<const config::Config> config);
    ~DesktopBus();
    DesktopBus(const DesktopBus&) = delete;
    DesktopBus& operator=(const DesktopBus&) = delete;

    [[nodiscard]] static bool is_built_in();
    void start();
    void reload();
    void stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::app
