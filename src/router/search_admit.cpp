// Where a request may run now, and how it waits when there is no slot.
#include "router/search.hpp"
#include "router/slow_start.hpp"
#include "router/wait_or_next.hpp"
#include "router/warm_or_cold.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace ollama_proxy::router {
using boost::asio::awaitable;

namespace {

/// How soon one who waits ranks again although nobody asked it to: twice as late each time. What
/// changes without an event (a breaker that half-opens, heat, a wait longer than expected) is seen
/// by then.
constexpr Milliseconds kFirstLook{50};
constexpr Milliseconds kLastLook{1000};

Capacity capacity_of(const upstream::Backend& backend, TimePoint now) {
    const config::Backend& settings = backend.settings();
    return slow_start({settings.max_concurrency, settings.max_in_flight}, backend.back_since(),
                      now);
}

/// While a request is in the queue.
class ShownAsWaiting {
  public:
    explicit ShownAsWaiting(RouteInfo& info) : info_(info) {}
    ShownAsWaiting(const ShownAsWaiting&) = delete;
    ShownAsWaiting& operator=(const ShownAsWaiting&) = delete;
    ~ShownAsWaiting() { info_.waiting = 0; }

    void among(std::size_t all) { info_.waiting = all; }

  private:
    RouteInfo& info_;
};

}  // namespace

Place Search::place_at(std::uint32_t index) const {
    const upstream::Backend& backend = *generation_->backends->backends[index];
    return {backend.id(), wanted_.key(backend.settings().type), capacity_of(backend, now_),
            ranking_.decision.wait_for_target};
}

std::optional<Clock::duration> Search::wait_at(std::uint32_t index, const Place& place) const {
    return expected_wait(ranking_.occupancy[index], place.capacity.per_model, applicant_.level);
}

/// It would have to load the model, and a full backend that has it loaded answers sooner.
bool Search::is_better_waited_for(const RankedCandidate& cold) const {
    const Decision& decision = ranking_.decision;
    const Standing loading{cold, ranking_.facts[cold.index]};
    const bool by_score =
        decision.reason != Reason::latency_relaxed && decision.reason != Reason::mode_relaxed;
    if (!loading.facts.cold || !by_score || decision.wait_for_target) return false;
    return std::ranges::any_of(decision.usable, [&](const RankedCandidate& other) {
        const Place place = place_at(other.index);
        return waiting_beats_loading(loading, {other, ranking_.facts[other.index]},
                                     wait_at(other.index, place), waited_) &&
               !router_.admission.is_free(place, applicant_.level);
    });
}

/// Puts into `next_places_` where the request would go, best first: the best and what is worth
/// taking rather than waiting for it. `take`: a slot that is free is taken at once.
std::optional<Admitted> Search::choose_places(bool take) {
    const Decision& decision = ranking_.decision;
    next_places_.clear();
    next_order_.clear();
    WaitOrNext wait_or_next(decision, waited_);
    for (const RankedCandidate& candidate : decision.usable) {
        if (!wait_or_next.worth_taking(candidate)) break;
        if (is_better_waited_for(candidate)) continue;
        next_places_.push_back(place_at(candidate.index));
        next_order_.push_back(candidate.index);
        if (take) {
            auto permit =
                router_.admission.try_acquire(next_places_.back(), applicant_.level, now_);
            if (permit) return Admitted{std::move(*permit), next_places_.size() - 1};
        }
        if (decision.wait_for_target) break;
        wait_or_next.found_full(candidate, ranking_.facts[candidate.index],
                                wait_at(candidate.index, next_places_.back()));
    }
    return std::nullopt;
}

/// A slot that is free now; else `places_` is what to wait for.
std::optional<Admitted> Search::admit_now() {
    auto admitted = choose_places(true);
    places_.swap(next_places_);
    order_.swap(next_order_);
    if (!returning_) info_.queue_depth = router_.admission.waiting();
    return admitted;
}

/// Waits for a slot at any of `places_`. Nothing: look again, because nobody is left to wait for
/// or the configuration is a new one.
awaitable<Result<std::optional<Admitted>>> Search::admit() {
    const auto executor = co_await boost::asio::this_coro::executor;
    const TimePoint begin = Clock::now();
    const Clock::duration before = waited_;
    Stay stay(router_.admission, executor, applicant_);
    auto entered = stay.enter(places_, returning_);
    if (!entered) co_return entered.error();
    returning_ = true;
    ShownAsWaiting shown(info_);
    const TimePoint limit =
        std::min(begin + (generation_->config->queue.timeout - before), context_.deadline);
    for (Clock::duration look = kFirstLook;;
         look = std::min<Clock::duration>(2 * look, kLastLook)) {
        shown.among(router_.admission.waiting());
        auto waited = co_await stay.wait(limit, Clock::now() + look);
        now_ = Clock::now();
        waited_ = before + (now_ - begin);
        info_.queue_wait_ms = to_ms(waited_);
        if (!waited || *waited) co_return waited;
        new_configuration_ = router_.generation.load() != generation_;
        if (new_configuration_) co_return waited;
        rank();
        if (ranking_.decision.usable.empty()) co_return waited;
        note_decision();
        (void)choose_places(false);
        if (!stay.replace(next_places_)) continue;  // it has a slot at one of the former places
        places_.swap(next_places_);
        order_.swap(next_order_);
    }
}

/// A reload came while it waited: what was in line for a backend that is gone goes elsewhere.
Result<void> Search::adopt_configuration() {
    const auto former = std::move(generation_);
    generation_ = router_.generation.load();
    new_configuration_ = false;
    std::vector<bool> tried;
    for (const auto& backend : generation_->backends->backends) {
        // what has changed under the same id may do better now
        const auto& before = former->backends->backends;
        const auto same = std::ranges::find(before, backend);
        tried.push_back(same != before.end() && tried_[std::size_t(same - before.begin())]);
    }
    tried_ = std::move(tried);
    wanted_ = wanted_of(*generation_->config, request_.api, request_.scan.model);
    wanted_.tried = &tried_;
    return find_target();
}

/// A backend that just failed this request and takes none now: who waits for it looks elsewhere.
void Search::tell_who_waits(const upstream::Backend& backend) const {
    const TimePoint now = Clock::now();
    const bool refuses = backend.is_parked(now) || !backend.breaker_would_allow(now) ||
                         backend.is_absent(wanted_.key(backend.settings().type));
    if (refuses) router_.admission.reconsider(backend.id());
}

}  // namespace ollama_proxy::router
