#pragma once

#include "ollama_proxy/upstream/fetch.hpp"
#include "ollama_proxy/upstream/health_checker.hpp"
#include "upstream/probe_schedule.hpp"
#include "upstream/probe_verdict.hpp"
#include "upstream/rendezvous.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace ollama_proxy::upstream {

/// What all watches of one checker share. Thread: control, but for `last_request`.
struct WatchContext {
    config::Health settings;
    HealthChecker::OnChange on_change;
    bool stopped = false;
    std::atomic<TimePoint::rep> last_request{kNoRequestYet.time_since_epoch().count()};

    [[nodiscard]] TimePoint last_request_at() const {
        return TimePoint(Clock::duration(last_request.load(std::memory_order_relaxed)));
    }
};

/// Probes one backend and fetches its catalog, one thing after the other, in one coroutine: so
/// callers that want the same thing at the same time share one request. Thread: control.
class BackendWatch {
  public:
    BackendWatch(const boost::asio::any_io_executor& executor, std::shared_ptr<Backend> backend,
                 std::shared_ptr<WatchContext> context);

    /// The loop; ends after `leave()`, when the context is stopped, or when it is cancelled.
    [[nodiscard]] static boost::asio::awaitable<void> run(std::shared_ptr<BackendWatch> self);

    [[nodiscard]] const std::shared_ptr<Backend>& backend() const { return backend_; }

    /// Settings or the time of the last request changed: look again when something is due.
    void wake() { wake_.cancel(); }
    /// Probes at once, after the one that is under way.
    void probe_now();
    /// The wish is let go when a probe (the one under way counts) has ended; if that made the
    /// backend healthy it has been granted.
    void want_probe(std::shared_ptr<Wish> wish);
    /// Fetches the catalog soon, after the fetch that is under way.
    void refresh_catalog();
    /// The wish is let go when the catalog is not older than `max_age` or cannot be had now.
    void want_catalog(std::shared_ptr<Wish> wish, Clock::duration max_age);
    /// Not watched any more: lets all wishes go.
    void leave();

  private:
    using Wishes = std::vector<std::shared_ptr<Wish>>;

    [[nodiscard]] bool active() const { return !left_ && !context_->stopped; }
    [[nodiscard]] bool lists_models_apart() const;
    [[nodiscard]] TimePoint probe_due(TimePoint now) const;
    [[nodiscard]] TimePoint catalog_due(TimePoint now) const;

    [[nodiscard]] boost::asio::awaitable<void> probe();
    [[nodiscard]] boost::asio::awaitable<void> resolve_if_needed();
    [[nodiscard]] boost::asio::awaitable<void> fetch_catalog();
    [[nodiscard]] boost::asio::awaitable<void> refresh_loaded();
    [[nodiscard]] boost::asio::awaitable<Result<FetchReply>> get(std::string target);

    void apply(const ProbeVerdict& verdict);
    void publish(std::vector<Model> models, std::vector<LoadedModel> loaded, TimePoint fetched);

    const std::shared_ptr<Backend> backend_;
    const std::shared_ptr<WatchContext> context_;
    boost::asio::steady_timer wake_;
    ProbeSchedule schedule_;
    bool left_ = false;

    bool probing_ = false;
    bool probe_wanted_ = false;
    Wishes probe_wishes_;

    bool fetching_ = false;
    bool catalog_wanted_ = true;
    bool catalog_ok_ = false;
    TimePoint catalog_attempted_{};
    Wishes catalog_wishes_;
    std::string version_;

    bool resolve_again_ = false;
    TimePoint resolved_at_{};
    std::string resolve_error_;
};

}  // namespace ollama_proxy::upstream
