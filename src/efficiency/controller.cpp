#include "ollama_proxy/efficiency/controller.hpp"

#include "efficiency/memory.hpp"
#include "efficiency/mode_decider.hpp"
#include "efficiency/transitions.hpp"
#include "efficiency/wall_clock.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace ollama_proxy::efficiency {
namespace asio = boost::asio;
using config::Mode;

namespace {

NotificationSwitches configured_switches(const config::Notifications& settings) {
    return {{NotificationKind::mode_changes, settings.mode_changes},
            {NotificationKind::backend_health, settings.backend_health},
            {NotificationKind::thermal, settings.thermal},
            {NotificationKind::low_battery, true},
            {NotificationKind::device_lost, true}};
}

/// Temperatures come with every reading; they alone are no news.
bool is_news(const State& before, const State& now) {
    const auto supply = [](const State& state) {
        const Surroundings& around = state.surroundings;
        return std::tuple(around.heat, around.on_battery, around.battery_percent, around.profile);
    };
    const auto quiet = [](const config::QuietHours& q) {
        return std::tuple(q.enabled, q.start_hour, q.end_hour);
    };
    return before.mode != now.mode || before.effective != now.effective ||
           before.reason != now.reason || supply(before) != supply(now) ||
           quiet(before.quiet_hours) != quiet(now.quiet_hours) ||
           before.notifications != now.notifications;
}

}  // namespace

/// Everything but the cells belongs to the control thread (and to the constructor before that).
struct Controller::Impl : std::enable_shared_from_this<Controller::Impl> {
    Impl(asio::io_context& context, std::shared_ptr<const config::Config> settings, Publish publish)
        : control(context),
          config(std::move(settings)),
          publish_policy(std::move(publish)),
          memory(*config),
          timer(context) {}

    void decide(bool by_user);
    void publish(std::shared_ptr<const State> next);
    void wait_until(TimePoint when);
    [[nodiscard]] TimePoint next_quiet_boundary(const State& now) const;
    static asio::awaitable<StatePtr> change_here(std::shared_ptr<Impl> self, Change change);
    StatePtr change(const Change& wish);

    asio::io_context& control;
    std::shared_ptr<const config::Config> config;
    Publish publish_policy;
    Memory memory;
    Surroundings surroundings;
    ModeDecider decider;
    asio::steady_timer timer;
    TimePoint timer_at = kNever;
    bool policy_is_stale = false;  ///< the configuration has changed under it
    bool stopped = false;

    SnapshotCell<State> state;
    Transitions transitions;
    Observers<StatePtr> observers;
};

void Controller::Impl::decide(bool by_user) {
    if (stopped) return;
    const Remembered& user = memory.remembered();
    auto next = std::make_shared<State>();
    next->mode = user.mode.value_or(config->efficiency.default_mode);
    next->quiet_hours = user.quiet_hours.value_or(config->efficiency.quiet_hours);
    next->notifications = configured_switches(config->notifications);
    for (const auto& [kind, on] : user.notifications) next->notifications[kind] = on;
    next->surroundings = surroundings;

    const TimePoint now = Clock::now();
    const bool quiet_now = is_quiet_hour(next->quiet_hours, hour_of(local_time_of_day()));
    auto outcome = decider.look({next->mode, quiet_now, by_user}, surroundings, now);
    next->effective = outcome.effective;
    next->reason = std::move(outcome.reason);
    publish(next);
    wait_until(std::min(outcome.look_again, next_quiet_boundary(*next)));
}

void Controller::Impl::publish(std::shared_ptr<const State> next) {
    const StatePtr before = state.load();
    auto complete = std::make_shared<State>(*next);
    const bool same_policy = before && !std::exchange(policy_is_stale, false) &&
                             before->mode == next->mode && before->effective == next->effective &&
                             before->reason == next->reason && before->policy;
    if (same_policy) {
        complete->policy = before->policy;
    } else {
        auto policy = std::make_shared<Policy>(policy_of(next->effective, *config));
        policy->mode = next->mode;
        policy->reason = next->reason;
        complete->policy = std::move(policy);
    }
    const StatePtr now = std::move(complete);
    state.store(now);
    if (!same_policy) publish_policy(now->policy);
    if (!before) return;
    if (before->effective != now->effective || before->mode != now->mode) {
        transitions.add({unix_ms(), now->mode, before->effective, now->effective, now->reason});
        telemetry::log_info("efficiency mode changed",
                            {{"mode", config::to_string(now->mode)},
                             {"from", config::to_string(before->effective)},
                             {"to", config::to_string(now->effective)},
                             {"reason", now->reason}});
    }
    if (is_news(*before, *now)) observers.notify(now);
}

TimePoint Controller::Impl::next_quiet_boundary(const State& now) const {
    if (now.mode != Mode::automatic || !now.quiet_hours.enabled) return kNever;
    return Clock::now() + until_quiet_boundary(now.quiet_hours, local_time_of_day());
}

void Controller::Impl::wait_until(TimePoint when) {
    if (when == timer_at) return;
    timer_at = when;
    timer.cancel();
    if (when == kNever) return;
    timer.expires_at(when);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (error) return;
        self->timer_at = kNever;
        self->decide(false);
    });
}

StatePtr Controller::Impl::change(const Change& wish) {
    if (!stopped) {
        memory.change(wish);
        decide(true);
    }
    return state.load();
}

asio::awaitable<StatePtr> Controller::Impl::change_here(std::shared_ptr<Impl> self, Change change) {
    co_return self->change(change);
}

Controller::Controller(asio::io_context& control, std::shared_ptr<const config::Config> config,
                       Publish publish)
    : impl_(std::make_shared<Impl>(control, std::move(config), std::move(publish))) {
    impl_->decide(true);
}

Controller::~Controller() = default;

void Controller::stop() {
    impl_->stopped = true;
    impl_->timer.cancel();
    impl_->memory.finish();
}

StatePtr Controller::state() const { return impl_->state.load(); }

std::vector<Transition> Controller::history() const { return impl_->transitions.all(); }

void Controller::change(Change change, std::function<void(StatePtr)> done) {
    asio::post(impl_->control, [impl = impl_, wish = std::move(change), done = std::move(done)] {
        const StatePtr now = impl->change(wish);
        if (done) done(now);
    });
}

asio::awaitable<StatePtr> Controller::changed(Change change) {
    auto there = Impl::change_here(impl_, std::move(change));
    co_return co_await asio::co_spawn(impl_->control, std::move(there), asio::use_awaitable);
}

void Controller::set_system(const monitors::SystemSnapshot& snapshot) {
    asio::post(impl_->control, [impl = impl_, around = surroundings_of(snapshot)] {
        if (impl->surroundings == around) return;
        impl->surroundings = around;
        impl->decide(false);
    });
}

void Controller::set_config(std::shared_ptr<const config::Config> config) {
    asio::post(impl_->control, [impl = impl_, config = std::move(config)] {
        impl->config = config;
        impl->policy_is_stale = true;
        impl->decide(true);
    });
}

Controller::Subscription Controller::subscribe(std::function<void(const StatePtr&)> observer) {
    return impl_->observers.subscribe(std::move(observer));
}

}  // namespace ollama_proxy::efficiency
