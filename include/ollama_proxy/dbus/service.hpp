#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/monitors/resource_monitor.hpp"
#include "ollama_proxy/router/router.hpp"

#include <memory>

namespace ollama_proxy::dbus {

/// D-Bus in both directions, on a thread of its own. Session bus: the five services
/// (`dbus.enabled`) and notifications (`notifications.enabled`). System bus (`monitors.enabled`):
/// the power profile goes to the monitor, sleeping and waking to the router. Without a bus, or when
/// it goes, the daemon runs on and the connection comes back by itself.
/// Thread: one, which is none of its own.
class Service {
  public:
    /// The three must live longer.
    Service(router::Router& router, efficiency::Controller& controller,
            monitors::ResourceMonitor& monitor, std::shared_ptr<const config::Config> config);
    /// Stops if it still runs.
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Subscribes to the monitor's readings: before the monitor starts. Without anything to do
    /// there is no thread. At most once.
    void start();
    /// The router has other backends: says which came and went. Thread: any, between start and
    /// stop.
    void reload();
    /// Gives the names back and returns when the thread has ended. Where a bus hangs this takes as
    /// long as its answer.
    void stop();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::dbus
