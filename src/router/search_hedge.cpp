// A critical request that waits unusually long for its first byte is asked of a second backend too;
// who answers first is committed, the other is cancelled.
#include "ollama_proxy/runtime/run_both.hpp"
#include "router/search.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace ollama_proxy::router {
namespace asio = boost::asio;
using asio::awaitable;

/// The two copies of one request. Lives until both have ended.
struct Search::Race {
    runtime::Side first_side;
    runtime::Side second_side;
    Answer second;                                  ///< once it is asked
    ResponseStream::Impl* second_answer = nullptr;  ///< the same, also once it is the winner's
    std::optional<ResponseStream> winner;
    std::uint32_t winner_index = 0;
    bool first_over = false;
    bool second_asked = false;
};

/// How long the first byte may take before it is unusual; nothing when no second copy may be sent.
std::optional<Clock::duration> Search::hedge_after(std::uint32_t index) const {
    const config::Hedge& hedge = generation_->config->router.hedge;
    const bool wanted = hedge.enabled && applicant_.level == Priority::critical &&
                        request_.scan.stream && request_.scan.has_prompt &&
                        !ranking_.decision.wait_for_target && !ranking_.facts[index].cold;
    const auto& learned = generation_->notes[index]->learned;
    if (!wanted || !learned || ranking_.decision.usable.size() < 2) return std::nullopt;
    const auto& backend = *generation_->backends->backends[index];
    const auto ms = learned->first_token_ms(wanted_.key(backend.settings().type), hedge.percentile);
    if (!ms) return std::nullopt;
    return std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double, std::milli>(*ms));
}

/// A copy that failed gives back its slot now, not when the other one is done.
void Search::drop_failed(Answer& answer, std::uint32_t index) const {
    answer.reset();
    tell_who_waits(*generation_->backends->backends[index]);
}

/// Asks the first; its winning or failing decides what becomes of the second.
awaitable<void> Search::run_first(Race& race, Answer& answer, std::uint32_t index) {
    auto got = co_await ask(answer);
    race.first_over = true;
    if (!got) drop_failed(answer, index);
    // it failed before a second was asked: the next candidate has its turn as always
    const bool alone = !race.second_asked;
    if (got && !race.winner) {
        race.winner = std::move(got);
        race.winner_index = index;
    } else if (!alone) {
        co_return;
    }
    race.second_side.cancel.emit(asio::cancellation_type::total);
}

/// A slot at the best other backend that needs not load the model, if one is free.
std::optional<Admitted> Search::free_elsewhere() {
    now_ = Clock::now();
    rank();
    const Reason reason = ranking_.decision.reason;
    if (reason == Reason::mode_relaxed || reason == Reason::latency_relaxed) return std::nullopt;
    for (const RankedCandidate& candidate : ranking_.decision.usable) {
        const bool gone = generation_->backends->backends[candidate.index]->is_retired();
        if (gone || ranking_.facts[candidate.index].cold) continue;
        // as a request of a lower level: the extra slot is not for copies
        auto permit =
            router_.admission.try_acquire(place_at(candidate.index), Priority::high, now_);
        if (permit) return Admitted{std::move(*permit), candidate.index};
    }
    return std::nullopt;
}

/// Waits as long as is usual, then asks a second backend.
awaitable<void> Search::run_second(Race& race, Clock::duration patience) {
    // the first may have failed at once, before there was anything here to be stopped
    if (race.first_over) co_return;
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, patience);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
    if (!router_.hedges.take()) co_return;
    auto slot = free_elsewhere();
    if (slot) race.second = begin(static_cast<std::uint32_t>(slot->place), std::move(slot->permit));
    if (!race.second) {
        router_.hedges.give_back();
        co_return;
    }
    const auto index = static_cast<std::uint32_t>(slot->place);
    race.second_asked = true;
    race.second_answer = race.second.get();
    auto got = co_await ask(race.second);
    if (!got) drop_failed(race.second, index);
    if (!got || race.winner) co_return;
    race.winner = std::move(got);
    race.winner_index = index;
    race.first_side.cancel.emit(asio::cancellation_type::total);
}

awaitable<std::optional<ResponseStream>> Search::ask_hedged(Answer& answer, std::uint32_t index,
                                                            Clock::duration patience) {
    const auto executor = co_await asio::this_coro::executor;
    const TimePoint asked = Clock::now();
    ResponseStream::Impl* const first_answer = answer.get();
    Race race;
    auto first = run_first(race, answer, index);
    auto second = run_second(race, patience);
    co_await runtime::run_both(std::move(first), race.first_side, std::move(second),
                               race.second_side);
    // whom a cancellation ended goes on computing for a while
    const bool first_cancelled = race.first_side.failure != nullptr;
    const bool second_cancelled = race.second_side.failure != nullptr;
    if (first_cancelled && answer) charge_on(executor, std::move(answer->permit));
    if (second_cancelled && race.second) charge_on(executor, std::move(race.second->permit));
    if (!race.winner) {
        if (race.first_side.failure) std::rethrow_exception(race.first_side.failure);
        if (race.second_side.failure && race.second_asked) {
            std::rethrow_exception(race.second_side.failure);
        }
        co_return std::nullopt;
    }
    if (race.second_asked) {
        const bool second_won = race.winner_index != index;
        generation_->notes[index]->metrics.count_hedge(second_won);
        if (first_cancelled && answer) race.second_answer->add_energy_of(*answer);
        if (second_cancelled && race.second) first_answer->add_energy_of(*race.second);
        if (first_cancelled) note_slow(index, Clock::now() - asked);
        note_chosen(race.winner_index);
    }
    co_return std::move(race.winner);
}

/// It would have taken longer still: that much is known of the one that was cancelled.
void Search::note_slow(std::uint32_t index, Clock::duration at_least) const {
    const auto& learned = generation_->notes[index]->learned;
    if (!learned) return;
    Observation seen;
    seen.warm_ms = to_ms(at_least);
    const auto& backend = *generation_->backends->backends[index];
    learned->add(wanted_.key(backend.settings().type), seen, Clock::now());
}

}  // namespace ollama_proxy::router
