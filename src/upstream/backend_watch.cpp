#include "upstream/backend_watch.hpp"

#include "ollama_proxy/telemetry/log.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kResolveAgainAfter{10};
/// Between fetches that 404s ask for: a client that asks for nonsense must not keep us busy.
constexpr milliseconds kCatalogGap{200};
/// Clouds count requests; their lists change rarely.
constexpr seconds kCloudCatalogAge{60};

/// The log line is the owner's: it knows the words for people.
void count_change(const Backend& backend) {
    const Health now = backend.health();
    telemetry::metrics()
        .counters("ollama_proxy_backend_health_changes_total",
                  "Changes of a backend's health, by the state that it changed to.",
                  {"backend", "state"})
        .with({backend.id(), to_string(now)})
        .add();
}

}  // namespace

BackendWatch::BackendWatch(const asio::any_io_executor& executor, std::shared_ptr<Backend> backend,
                           std::shared_ptr<WatchContext> context)
    : backend_(std::move(backend)),
      context_(std::move(context)),
      wake_(executor),
      schedule_(backend_->health()) {}

bool BackendWatch::lists_models_apart() const {
    return backend_->settings().type == config::BackendType::ollama;
}

TimePoint BackendWatch::probe_due(TimePoint now) const {
    const TimePoint due = schedule_.next_due(now, context_->last_request_at(), context_->settings,
                                             backend_->settings().hardware);
    return probe_wanted_ ? std::min(due, schedule_.next_due_urgent()) : due;
}

TimePoint BackendWatch::catalog_due(TimePoint now) const {
    if (!lists_models_apart() || backend_->health() != Health::healthy) return kNever;
    if (!catalog_wishes_.empty()) return now;
    const TimePoint due =
        next_catalog_due(catalog_attempted_, catalog_ok_, is_busy(now, context_->last_request_at()),
                         context_->settings);
    return catalog_wanted_ ? std::min(due, catalog_attempted_ + kCatalogGap) : due;
}

asio::awaitable<void> BackendWatch::run(std::shared_ptr<BackendWatch> self) {
    while (self->active()) {
        const TimePoint now = Clock::now();
        const TimePoint probe_at = self->probe_due(now);
        const TimePoint catalog_at = self->catalog_due(now);
        if (probe_at <= now) {
            co_await self->probe();
        } else if (catalog_at <= now) {
            co_await self->fetch_catalog();
        } else {
            self->wake_.expires_at(std::min(probe_at, catalog_at));
            co_await self->wake_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
    }
}

void BackendWatch::probe_now() {
    probe_wanted_ = true;
    wake();
}

void BackendWatch::want_probe(std::shared_ptr<Wish> wish) {
    probe_wishes_.push_back(std::move(wish));
    if (!probing_) probe_now();
}

void BackendWatch::refresh_catalog() {
    catalog_wanted_ = true;
    if (!lists_models_apart()) probe_wanted_ = true;
    wake();
}

void BackendWatch::want_catalog(std::shared_ptr<Wish> wish, Clock::duration max_age) {
    if (backend_->settings().hardware == config::Hardware::cloud) {
        max_age = std::max<Clock::duration>(max_age, kCloudCatalogAge);
    }
    const TimePoint now = Clock::now();
    const auto catalog = backend_->catalog();
    if (catalog->known && now - catalog->fetched <= max_age) return;
    if (backend_->health() == Health::unhealthy) {
        // A server that hangs is not waited for; one that was not there may be by now.
        const bool quick = schedule_.last_result() != ProbeResult::failed;
        if (!probing_ && (!quick || now - schedule_.last_probe() <= max_age)) return;
    }
    if (!lists_models_apart()) {
        want_probe(std::move(wish));
        return;
    }
    catalog_wishes_.push_back(std::move(wish));
    if (backend_->health() != Health::healthy && !probing_) probe_wanted_ = true;
    if (!fetching_) wake();
}

void BackendWatch::leave() {
    left_ = true;
    probe_wishes_.clear();
    catalog_wishes_.clear();
    wake();
}

asio::awaitable<Result<FetchReply>> BackendWatch::get(std::string target) {
    const auto addresses = backend_->addresses();
    co_return co_await fetch(backend_->settings(), *addresses, "GET", std::move(target),
                             std::string(), context_->settings.timeout);
}

asio::awaitable<void> BackendWatch::resolve_if_needed() {
    const TimePoint now = Clock::now();
    const bool known = !backend_->addresses()->empty();
    if (known && !(resolve_again_ && now - resolved_at_ >= kResolveAgainAfter)) co_return;
    resolved_at_ = now;
    resolve_again_ = false;
    auto found = co_await resolve(backend_->settings().endpoint, context_->settings.timeout);
    if (found.has_value() && !found->empty()) {
        backend_->set_addresses(
            std::make_shared<const Backend::Addresses>(std::move(found.value())));
    } else {
        resolve_error_ = found.has_error() ? found.error().message : "the host has no address";
    }
}

asio::awaitable<void> BackendWatch::probe() {
    probing_ = true;
    probe_wanted_ = false;
    co_await resolve_if_needed();
    ProbeVerdict verdict;
    if (backend_->addresses()->empty()) {
        verdict.reason = resolve_error_;
    } else if (active()) {
        const auto reply = co_await get(std::string(probe_target(backend_->settings().type)));
        verdict = judge_probe(backend_->settings().type, reply);
        resolve_again_ = resolve_again_ || reply.has_error();
    }
    // before the state: who sees "healthy" may already look for the models
    const bool comes_up =
        verdict.result == ProbeResult::ok && backend_->health() != Health::healthy;
    version_ = verdict.version;
    if (comes_up && lists_models_apart() && active()) co_await fetch_catalog();
    probing_ = false;
    if (!active()) co_return;
    apply(verdict);

    const TimePoint now = Clock::now();
    if (verdict.result == ProbeResult::ok && lists_models_apart() && backend_->catalog()->known &&
        is_busy(now, context_->last_request_at()) && catalog_due(now) > now) {
        co_await refresh_loaded();
    }
}

void BackendWatch::apply(const ProbeVerdict& verdict) {
    const Health before = backend_->health();
    const Health after = schedule_.on_result(verdict.result, Clock::now(), context_->settings);
    if (verdict.models) publish(*verdict.models, {}, Clock::now());
    const bool changed = backend_->set_health(after, verdict.reason);
    if (changed && after == Health::healthy) backend_->clear_lacking();

    Wishes done;
    done.swap(probe_wishes_);
    if (after == Health::healthy) {
        for (const auto& wish : done) wish->enough();
    } else {
        catalog_wishes_.clear();
    }
    if (changed) {
        count_change(*backend_);
        if (context_->on_change) context_->on_change(*backend_, before);
    }
}

asio::awaitable<void> BackendWatch::fetch_catalog() {
    const TimePoint started = Clock::now();
    fetching_ = true;
    catalog_wanted_ = false;
    catalog_attempted_ = started;
    const auto tags = co_await get("/api/tags");
    auto models = tags.has_value() && tags->status == 200 ? parse_tags(tags->body) : std::nullopt;
    catalog_ok_ = models.has_value();
    if (models && active()) {
        const auto ps = co_await get("/api/ps");
        auto loaded = ps.has_value() && ps->status == 200 ? parse_ps(ps->body) : std::nullopt;
        if (!loaded) loaded = backend_->catalog()->loaded;
        if (active()) publish(std::move(*models), std::move(*loaded), started);
    } else if (tags.has_error()) {
        probe_wanted_ = true;  // the probe decides whether it is still there
    }
    fetching_ = false;
    catalog_wishes_.clear();
}

asio::awaitable<void> BackendWatch::refresh_loaded() {
    const TimePoint asked = Clock::now();
    const auto ps = co_await get("/api/ps");
    auto loaded = ps.has_value() && ps->status == 200 ? parse_ps(ps->body) : std::nullopt;
    if (!loaded || !active()) co_return;
    const auto former = backend_->catalog();
    auto catalog = std::make_shared<Catalog>(*former);
    catalog->loaded = std::move(*loaded);
    catalog->loaded_asked = asked;
    catalog->note_missed(*former);
    backend_->set_catalog(std::move(catalog));
}

void BackendWatch::publish(std::vector<Model> models, std::vector<LoadedModel> loaded,
                           TimePoint fetched) {
    auto catalog = std::make_shared<Catalog>();
    catalog->known = true;
    catalog->fetched = fetched;
    catalog->models = std::move(models);
    catalog->loaded = std::move(loaded);
    catalog->loaded_asked = fetched;
    catalog->note_missed(*backend_->catalog());
    catalog->version = version_;
    backend_->set_catalog(std::move(catalog));
    backend_->clear_absent();
}

}  // namespace ollama_proxy::upstream
