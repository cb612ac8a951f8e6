#include "ollama_proxy/upstream/health_checker.hpp"

#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/runtime/task_group.hpp"
#include "ollama_proxy/telemetry/log.hpp"
#include "upstream/backend_watch.hpp"
#include "upstream/rendezvous.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
namespace {

/// Over the probe timeout, so that who waits for a fetch sees its end.
constexpr std::chrono::milliseconds kMargin{50};
constexpr std::chrono::milliseconds kNoteEvery{100};  ///< that requests come

void report_failure(const std::string& text) {
    telemetry::log_error("health check ended by a defect", {{"error", text}});
}

}  // namespace

struct HealthChecker::Impl : std::enable_shared_from_this<HealthChecker::Impl> {
    Impl(asio::io_context& control_context, const config::Health& settings, OnChange on_change)
        : control(control_context),
          timeout(settings.timeout),
          group(control_context.get_executor(), report_failure) {
        context->settings = settings;
        context->on_change = std::move(on_change);
    }

    template <class Action>
    void on_control(Action action) {
        asio::post(control, [self = shared_from_this(), action = std::move(action)] {
            if (!self->context->stopped) action(*self);
        });
    }
    template <class Action>
    void for_each_watch(Action action) {
        for (const auto& [serial, watch] : watches) action(*watch);
    }

    void watch(std::shared_ptr<const BackendSet> wanted, const config::Health& settings);
    void stop();
    [[nodiscard]] bool some_catalog_older_than(Clock::duration max_age) const;
    [[nodiscard]] bool some_backend_healthy() const;

    asio::io_context& control;
    std::atomic<std::chrono::milliseconds> timeout;  ///< of one probe, for those who wait
    SnapshotCell<BackendSet> set{std::make_shared<const BackendSet>()};
    // the control thread's
    const std::shared_ptr<WatchContext> context = std::make_shared<WatchContext>();
    std::map<std::uint64_t, std::shared_ptr<BackendWatch>> watches;  ///< by Backend::serial
    runtime::TaskGroup group;
};

void HealthChecker::Impl::watch(std::shared_ptr<const BackendSet> wanted,
                                const config::Health& settings) {
    if (context->stopped) return;
    context->settings = settings;
    timeout.store(settings.timeout, std::memory_order_relaxed);
    set.store(wanted);
    auto before = std::exchange(watches, {});
    for (const auto& backend : wanted->backends) {
        if (!backend->settings().enabled) continue;
        if (auto kept = before.extract(backend->serial())) {
            kept.mapped()->wake();
            watches.insert(std::move(kept));
            continue;
        }
        auto watch = std::make_shared<BackendWatch>(control.get_executor(), backend, context);
        watches.emplace(backend->serial(), watch);
        group.spawn(BackendWatch::run(std::move(watch)));
    }
    for (const auto& [serial, watch] : before) watch->leave();
}

void HealthChecker::Impl::stop() {
    if (std::exchange(context->stopped, true)) return;
    for_each_watch([](BackendWatch& watch) { watch.leave(); });
    watches.clear();
    group.close();
    // Within the context even where its thread has ended: outside of it Asio would post each
    // cancellation to a task that may be gone by then.
    asio::dispatch(control, [self = shared_from_this()] {
        self->group.cancel(asio::cancellation_type::terminal);
        if (self->group.size() == 0) return;
        // The group must outlive its last task, whose end only the context can run.
        asio::co_spawn(self->control, self->group.until_empty(),
                       [self](const std::exception_ptr&) {});
    });
}

bool HealthChecker::Impl::some_catalog_older_than(Clock::duration max_age) const {
    const TimePoint now = Clock::now();
    const auto current = set.load();
    return std::any_of(current->backends.begin(), current->backends.end(), [&](const auto& b) {
        if (!b->settings().enabled) return false;
        const auto catalog = b->catalog();
        return !catalog->known || now - catalog->fetched > max_age;
    });
}

bool HealthChecker::Impl::some_backend_healthy() const {
    const auto current = set.load();
    return std::any_of(current->backends.begin(), current->backends.end(), [](const auto& b) {
        return b->settings().enabled && b->health() == Health::healthy;
    });
}

HealthChecker::HealthChecker(asio::io_context& control, const config::Health& settings,
                             OnChange on_change)
    : impl_(std::make_shared<Impl>(control, settings, std::move(on_change))) {}

HealthChecker::~HealthChecker() { impl_->stop(); }

void HealthChecker::watch(std::shared_ptr<const BackendSet> set, const config::Health& settings) {
    impl_->watch(std::move(set), settings);
}

void HealthChecker::stop() { impl_->stop(); }

void HealthChecker::note_request() {
    auto& last_request = impl_->context->last_request;
    const TimePoint now = Clock::now();
    const TimePoint before = impl_->context->last_request_at();
    // all workers look at it: written now and then, it stays in their caches
    if (now - before < kNoteEvery) return;
    last_request.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    if (is_busy(now, before)) return;
    // Idle until now: what was due at the slow pace may be due already.
    impl_->on_control(
        [](Impl& impl) { impl.for_each_watch([](BackendWatch& watch) { watch.wake(); }); });
}

void HealthChecker::probe_soon() {
    impl_->on_control(
        [](Impl& impl) { impl.for_each_watch([](BackendWatch& watch) { watch.probe_now(); }); });
}

void HealthChecker::refresh_soon(std::shared_ptr<Backend> backend) {
    impl_->on_control([serial = backend->serial()](Impl& impl) {
        const auto found = impl.watches.find(serial);
        if (found != impl.watches.end()) found->second->refresh_catalog();
    });
}

asio::awaitable<void> HealthChecker::refresh_catalogs(Clock::duration max_age) {
    const auto impl = impl_;
    if (!impl->some_catalog_older_than(max_age)) co_return;
    const auto waiter = std::make_shared<Rendezvous>();
    impl->on_control([wish = std::make_shared<Wish>(waiter), max_age](Impl& control) {
        control.for_each_watch([&](BackendWatch& watch) { watch.want_catalog(wish, max_age); });
    });
    const auto timeout = impl->timeout.load(std::memory_order_relaxed);
    co_await Rendezvous::wait(waiter, Clock::now() + timeout + kMargin);
}

asio::awaitable<bool> HealthChecker::probe_refused(Clock::duration limit) {
    const auto impl = impl_;
    const TimePoint deadline = Clock::now() + limit;
    const auto waiter = std::make_shared<Rendezvous>();
    impl->on_control([wish = std::make_shared<Wish>(waiter)](Impl& control) {
        control.for_each_watch([&](BackendWatch& watch) {
            if (watch.backend()->health() != Health::healthy) watch.want_probe(wish);
        });
    });
    co_await Rendezvous::wait(waiter, deadline);
    co_return impl->some_backend_healthy();
}

}  // namespace ollama_proxy::upstream
