#include "ollama_proxy/dbus/service.hpp"

#include "dbus/power_profile.hpp"
#include "dbus/session_half.hpp"
#include "dbus/sleep_watch.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <pthread.h>
#include <thread>
#include <utility>

namespace ollama_proxy::dbus {
namespace asio = boost::asio;

struct Service::Impl {
    Impl(router::Router& r, efficiency::Controller& c, monitors::ResourceMonitor& m,
         std::shared_ptr<const config::Config> settings)
        : router(r),
          controller(c),
          monitor(m),
          config(std::move(settings)),
          guard(context.get_executor()),
          session(context, router, controller, monitor, *config),
          system(context, "system bus", open_system_bus,
                 {[this](sdbus::IConnection& connection) {
                      const ShortCalls limit(connection);
                      power_profile.attach(connection);
                      sleep.attach(connection);
                  },
                  [this] {
                      power_profile.detach();
                      sleep.detach();
                  }}),
          power_profile(system,
                        [this](std::optional<std::string> profile) {
                            facts.power_profile = std::move(profile);
                            monitor.set_external(facts);
                        }),
          sleep(system, [this](bool sleeping) { on_sleep(sleeping); }) {}

    [[nodiscard]] bool uses_session() const {
        return config->dbus.enabled || config->notifications.enabled;
    }
    [[nodiscard]] bool uses_system() const { return config->monitors.enabled; }

    void on_sleep(bool sleeping) {
        session.on_sleep(sleeping);
        if (sleeping) {
            router.suspend();
        } else {
            router.resume();
            monitor.poke();
        }
        facts.sleeping = sleeping;
        monitor.set_external(facts);
    }
    void subscribe();

    router::Router& router;
    efficiency::Controller& controller;
    monitors::ResourceMonitor& monitor;
    const std::shared_ptr<const config::Config> config;

    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard;
    SessionHalf session;
    BusLink system;
    PowerProfileWatch power_profile;
    SleepWatch sleep;
    monitors::ExternalFacts facts;
    std::thread thread;
    std::atomic<bool> decision_pending{false};

    // end first: after them nobody posts any more
    efficiency::Controller::Subscription on_state;
    Observers<router::HealthNews>::Subscription on_health;
    Observers<router::LastDecision>::Subscription on_decision;
    Observers<bool>::Subscription on_activity;
};

void Service::Impl::subscribe() {
    on_state = controller.subscribe(
        [this](const auto&) { asio::post(context, [this] { session.on_state(); }); });
    on_health = router.subscribe_health([this](const router::HealthNews& news) {
        asio::post(context, [this, news] { session.on_health(news); });
    });
    on_activity = router.subscribe_activity(
        [this](bool busy) { asio::post(context, [this, busy] { sleep.set_busy(busy); }); });
    if (!config->dbus.routing_signals) return;
    on_decision = router.subscribe_decisions([this](const auto&) {
        // a worker posts once, however many decisions there are until the bus thread looks
        if (decision_pending.exchange(true)) return;
        asio::post(context, [this] {
            decision_pending.store(false);
            session.on_decision();
        });
    });
}

Service::Service(router::Router& router, efficiency::Controller& controller,
                 monitors::ResourceMonitor& monitor, std::shared_ptr<const config::Config> config)
    : impl_(std::make_shared<Impl>(router, controller, monitor, std::move(config))) {}

Service::~Service() { stop(); }

void Service::start() {
    if (!impl_->uses_session() && !impl_->uses_system()) return;
    impl_->subscribe();
    impl_->monitor.subscribe([weak = std::weak_ptr(impl_)](const auto&) {
        const auto impl = weak.lock();
        if (!impl) return;
        asio::post(impl->context, [raw = impl.get()] { raw->session.on_reading(); });
    });
    impl_->thread = std::thread([impl = impl_.get()] {
        pthread_setname_np(pthread_self(), "dbus");
        if (impl->uses_session()) impl->session.start();
        if (impl->uses_system()) impl->system.start();
        impl->context.run();
    });
}

void Service::reload() {
    asio::post(impl_->context, [impl = impl_.get()] { impl->session.on_reload(); });
}

void Service::stop() {
    if (!impl_->thread.joinable()) return;
    impl_->on_state = {};
    impl_->on_health = {};
    impl_->on_decision = {};
    impl_->on_activity = {};
    asio::post(impl_->context, [impl = impl_.get()] {
        impl->session.stop();
        impl->system.stop();
        impl->guard.reset();
    });
    impl_->thread.join();
}

}  // namespace ollama_proxy::dbus
