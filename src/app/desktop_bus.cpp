#include "app/desktop_bus.hpp"

#ifdef OLLAMA_PROXY_DBUS
#include "ollama_proxy/dbus/service.hpp"
#endif

#include <utility>

namespace ollama_proxy::app {

#ifdef OLLAMA_PROXY_DBUS

struct DesktopBus::Impl {
    dbus::Service service;
};

DesktopBus::DesktopBus(router::Router& router, efficiency::Controller& controller,
                       monitors::ResourceMonitor& monitor,
                       std::shared_ptr<const config::Config> config)
    : impl_(new Impl{{router, controller, monitor, std::move(config)}}) {}

bool DesktopBus::is_built_in() { return true; }
void DesktopBus::start() { impl_->service.start(); }
void DesktopBus::reload() { impl_->service.reload(); }
void DesktopBus::stop() { impl_->service.stop(); }

#else

struct DesktopBus::Impl {};

DesktopBus::DesktopBus(router::Router&, efficiency::Controller&, monitors::ResourceMonitor&,
                       std::shared_ptr<const config::Config>) {}

bool DesktopBus::is_built_in() { return false; }
void DesktopBus::start() {}
void DesktopBus::reload() {}
void DesktopBus::stop() {}

#endif

DesktopBus::~DesktopBus() = default;

}  // namespace ollama_proxy::app
