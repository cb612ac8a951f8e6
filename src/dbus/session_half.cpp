#include "dbus/session_half.hpp"

#include "ollama_proxy/telemetry/log.hpp"

#include <utility>

namespace ollama_proxy::dbus {

SessionHalf::SessionHalf(boost::asio::io_context& context, router::Router& router,
                         efficiency::Controller& controller, monitors::ResourceMonitor& monitor,
                         const config::Config& config)
    : controller_(controller),
      monitor_(monitor),
      serves_(config.dbus.enabled),
      notifies_(config.notifications.enabled),
      link_(context, "session bus", open_session_bus,
            {[this](sdbus::IConnection& connection) { attach(connection); }, [this] { detach(); }}),
      efficiency_(context, link_, controller),
      backends_(context, link_, router),
      routing_(context, link_, router),
      thermal_(context, link_, monitor, controller),
      system_state_(context, link_, monitor),
      notifications_(link_),
      last_state_(controller.state()),
      thermal_events_(monitor.snapshot()->thermal.events),
      name_timer_(context) {}

void SessionHalf::stop() {
    name_timer_.cancel();
    link_.stop();
}

void SessionHalf::attach(sdbus::IConnection& connection) {
    if (notifies_) notifications_.attach(connection);
    if (!serves_) return;
    // objects before names: who sees a name finds what it promises
    efficiency_.attach(connection);
    backends_.attach(connection);
    routing_.attach(connection);
    thermal_.attach(connection);
    system_state_.attach(connection);
    names_missing_ = {efficiency_.name(), backends_.name(), routing_.name(), thermal_.name(),
                      system_state_.name()};
    names_complained_ = false;
    name_backoff_.reset();
    request_names(connection);
}

void SessionHalf::detach() {
    name_timer_.cancel();
    notifications_.detach();
    efficiency_.detach();
    backends_.detach();
    routing_.detach();
    thermal_.detach();
    system_state_.detach();
}

void SessionHalf::request_names(sdbus::IConnection& connection) {
    std::erase_if(names_missing_,
                  [&](const std::string& name) { return request_name(connection, name); });
    if (names_missing_.empty()) {
        if (std::exchange(names_complained_, false)) {
            telemetry::log_info("all D-Bus names are ours now");
        }
        return;
    }
    if (!std::exchange(names_complained_, true)) {
        std::string list;
        for (const std::string& name : names_missing_) {
            list += (list.empty() ? "" : ", ") + name;
        }
        telemetry::log_warn(
            "another program has D-Bus names of this daemon, perhaps a second ollama-proxy; "
            "trying again until it leaves",
            {{"names", list}});
    }
    name_timer_.expires_after(name_backoff_.next());
    name_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        link_.use([this](sdbus::IConnection& now) { request_names(now); });
    });
}

void SessionHalf::notify(std::optional<Note> note) {
    if (notifies_ && note) notifications_.send(std::move(*note));
}

void SessionHalf::on_state() {
    const efficiency::StatePtr now = controller_.state();
    const efficiency::StatePtr before = std::exchange(last_state_, now);
    notify(Notifier::on_state(*before, *now));
    efficiency_.refresh();
}

void SessionHalf::on_health(const router::HealthNews& news) {
    notify(Notifier::on_health(news, controller_.state()->notifications));
    backends_.refresh();
}

void SessionHalf::on_decision() { routing_.refresh(); }

void SessionHalf::on_reading() {
    const auto snapshot = monitor_.snapshot();
    const efficiency::StatePtr state = controller_.state();
    const efficiency::NotificationSwitches& switches = state->notifications;
    const monitors::ThermalFacts& thermal = snapshot->thermal;
    if (std::exchange(thermal_events_, thermal.events) != thermal.events && thermal.last_event) {
        notify(notifier_.on_thermal(*thermal.last_event, switches, Clock::now()));
    }
    notify(notifier_.on_reading(*snapshot, switches));
    thermal_.refresh();
    system_state_.refresh();
}

void SessionHalf::on_sleep(bool sleeping) {
    if (sleeping) {
        notifier_.on_sleep(*monitor_.snapshot());
    } else {
        notifier_.on_wake(Clock::now());
    }
}

}  // namespace ollama_proxy::dbus
