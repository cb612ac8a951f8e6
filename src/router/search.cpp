#include "router/search.hpp"

#include "ollama_proxy/runtime/throw_if_cancelled.hpp"
#include "router/target.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>

namespace ollama_proxy::router {
using boost::asio::awaitable;

namespace {

constexpr Milliseconds kProbeWait{40};

}  // namespace

void Search::note_decision() {
    const Decision& decision = ranking_.decision;
    const CandidateFacts& best = ranking_.facts[decision.usable.front().index];
    info_.decided = true;
    info_.backend = best.id;
    info_.estimated_latency_ms = best.latency_ms;
    info_.estimated_watts = best.watts;
    info_.reason = reason_text(decision.reason, ranking_.policy->effective);
    info_.mode = config::to_string(ranking_.policy->effective);
    info_.alternatives.clear();
    for (std::size_t i = 1; i < decision.usable.size(); ++i) {
        if (i > 1) info_.alternatives += ',';
        info_.alternatives += ranking_.facts[decision.usable[i].index].id;
    }
}

/// The place that it got need not be the best one.
void Search::note_chosen(std::uint32_t index) {
    info_.backend = generation_->backends->backends[index]->id();
    info_.estimated_latency_ms = ranking_.facts[index].latency_ms;
    info_.estimated_watts = ranking_.facts[index].watts;
}

void Search::rank() {
    wanted_.last_served = router_.affinity.last(affinity_, now_);
    router_.rank(*generation_, wanted_, request_.hints, target_, now_, ranking_);
}

Result<void> Search::find_target() {
    const auto found = target_index(*generation_, request_.hints.target);
    if (!found) return found.error();
    target_ = *found;
    return {};
}

awaitable<Result<ResponseStream>> Search::run() {
    const auto target = find_target();
    if (!target) co_return target.error();
    const config::Hedge& hedge = generation_->config->router.hedge;
    if (hedge.enabled) router_.hedges.note_request(hedge.max_percent);
    for (;; now_ = Clock::now()) {
        if (!router_.accepting.load(std::memory_order_relaxed)) {
            Error error = make_error(Errc::shutting_down, "the proxy is shutting down");
            error.retry_after_s = 1;
            co_return error;
        }
        if (router_.sleep.is_closed()) {
            const auto patience = generation_->config->queue.timeout;
            const auto limit = std::min(Clock::now() + patience, context_.deadline);
            if (auto late = co_await router_.sleep.pass(limit)) co_return std::move(*late);
            runtime::throw_if_cancelled(co_await boost::asio::this_coro::cancellation_state);
            now_ = Clock::now();
        }
        if (new_configuration_) {
            const auto adopted = adopt_configuration();
            if (!adopted) co_return adopted.error();
        }
        rank();
        if (ranking_.decision.usable.empty() || !may_retry_) {
            // a backend that was started after the proxy serves its first request already
            const bool refused_by_health = std::ranges::any_of(
                ranking_.decision.refused,
                [](const RankedCandidate& c) { return c.refusal == Refusal::unhealthy; });
            if (!probed_ && may_retry_ && refused_by_health) {
                probed_ = true;
                const bool somebody = co_await router_.health.probe_refused(kProbeWait);
                runtime::throw_if_cancelled(co_await boost::asio::this_coro::cancellation_state);
                if (somebody) continue;
            }
            co_return give_up();
        }
        note_decision();
        const double waited_before = info_.queue_wait_ms;
        auto admitted = admit_now();
        if (!admitted) {
            auto waited = co_await admit();
            if (!waited) co_return waited.error();
            if (!*waited) continue;
            admitted = std::move(*waited);
            now_ = Clock::now();
        }
        observe_queue_wait(request_.hints.priority, (info_.queue_wait_ms - waited_before) / 1000);
        if (router_.sleep.is_closed()) continue;  // it fell asleep while this one waited
        router_.activity->note();  // for one that waited while the machine slept, too
        const std::uint32_t index = order_[admitted->place];
        if (generation_->backends->backends[index]->is_retired()) {
            new_configuration_ = true;  // a reload took it away: its slot goes back unused
            continue;
        }
        note_chosen(index);
        generation_->notes[index]->metrics.count_decision(ranking_.decision.reason,
                                                          ranking_.policy->effective);
        note_given_to(index);
        const TimePoint before = now_;
        if (Answer asked = begin(index, std::move(admitted->permit))) {
            std::exception_ptr cancelled;
            try {
                auto answer = co_await ask_as_fits(asked, index);
                info_.upstream_ms += to_ms(now_ - before);
                if (answer) co_return std::move(*answer);
            } catch (const boost::system::system_error&) {
                cancelled = std::current_exception();
            }
            if (cancelled) {  // the client has left
                const auto executor = co_await boost::asio::this_coro::executor;
                if (asked && asked->permit.holds()) charge_on(executor, std::move(asked->permit));
                std::rethrow_exception(cancelled);
            }
        }
        tell_who_waits(*generation_->backends->backends[index]);
    }
}

awaitable<Result<ResponseStream>> Router::route(const InferenceRequest& request,
                                                const RequestContext& context, RouteInfo& info) {
    impl_->health.note_request();
    impl_->activity->note();
    Search search(*impl_, request, context, info);
    auto answer = co_await search.run();
    if (!answer && answer.error().code != Errc::cancelled) count_error(answer.error().code);
    co_return answer;
}

}  // namespace ollama_proxy::router
