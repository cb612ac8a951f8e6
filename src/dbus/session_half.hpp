#pragma once

#include "dbus/backends_service.hpp"
#include "dbus/bus_link.hpp"
#include "dbus/efficiency_service.hpp"
#include "dbus/notification_sender.hpp"
#include "dbus/notifier.hpp"
#include "dbus/routing_service.hpp"
#include "dbus/system_state_service.hpp"
#include "dbus/thermal_service.hpp"
#include "ollama_proxy/config/config.hpp"

#include <array>
#include <memory>

namespace ollama_proxy::dbus {

/// What happens on the session bus: five services under five names, and notifications.
/// Thread: the bus thread only.
class SessionHalf {
  public:
    SessionHalf(boost::asio::io_context& context, router::Router& router,
                efficiency::Controller& controller, monitors::ResourceMonitor& monitor,
                const config::Config& config);

    void start() { link_.start(); }
    void stop();

    void on_state();
    void on_health(const router::HealthNews& news);
    void on_decision();
    void on_reload() { backends_.refresh(); }
    void on_reading();
    void on_sleep(bool sleeping);

  private:
    void attach(sdbus::IConnection& connection);
    void detach();
    void request_names(sdbus::IConnection& connection);
    void notify(std::optional<Note> note);

    efficiency::Controller& controller_;
    monitors::ResourceMonitor& monitor_;
    const bool serves_;
    const bool notifies_;
    BusLink link_;
    EfficiencyService efficiency_;
    BackendsService backends_;
    RoutingService routing_;
    ThermalService thermal_;
    SystemStateService system_state_;
    NotificationSender notifications_;
    Notifier notifier_;
    efficiency::StatePtr last_state_;
    std::uint64_t thermal_events_ = 0;

    std::vector<std::string> names_missing_;
    boost::asio::steady_timer name_timer_;
    Backoff name_backoff_;
    bool names_complained_ = false;
};

}  // namespace ollama_proxy::dbus
