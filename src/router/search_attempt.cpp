// One backend is asked, and of its answer is read what must be there before it is committed.
#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/runtime/until_cancelled.hpp"
#include "router/preemption.hpp"
#include "router/search.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace ollama_proxy::router {
using boost::asio::awaitable;
using upstream::Exchange;
using upstream::OpenFailure;

namespace {

constexpr std::chrono::seconds kLoadedAgain{2};
constexpr std::size_t kHeldBody = 16 * 1024 * 1024;
/// A backend whose client left before the first byte goes on with the prompt for about this long.
constexpr Milliseconds kComputesOn{250};

/// As the metrics call it.
std::string_view word_of(OpenFailure kind) {
    switch (kind) {
        case OpenFailure::refused:
            return "refused";
        case OpenFailure::connect_timeout:
            return "connect_timeout";
        case OpenFailure::closed_before_head:
            return "closed_before_head";
        case OpenFailure::bad_head:
            return "bad_head";
        case OpenFailure::head_timeout:
            return "head_timeout";
        case OpenFailure::source_failed:
            break;
    }
    return "upload";
}

}  // namespace

Search::Body Search::body_for(const upstream::Backend& backend) const {
    if (request_.for_ollama && backend.settings().type == config::BackendType::ollama) {
        const codec::WrittenBody& own = *request_.for_ollama;
        return {own.api, own.body, own.scan};
    }
    return {request_.api, request_.body, request_.scan};
}

void Search::note_given_to(std::uint32_t index) {
    const auto& usable = ranking_.decision.usable;
    const auto found = std::ranges::find(usable, index, &RankedCandidate::index);
    router_.news.note_decision(info_.backend, info_.reason,
                               found == usable.end() ? 0 : found->score);
}

/// Keeps the slot taken for a while after its request was cancelled.
void Search::charge_on(const boost::asio::any_io_executor& executor, Permit permit) {
    auto timer = std::make_shared<boost::asio::steady_timer>(executor, kComputesOn);
    timer->async_wait([timer, held = std::move(permit)](auto) mutable { held.release(); });
}

/// What is to become the answer of this backend; null, and the slot given back, when its breaker
/// takes no request now.
Search::Answer Search::begin(std::uint32_t index, Permit&& permit) {
    const std::shared_ptr<upstream::Backend>& backend = generation_->backends->backends[index];
    tried_[index] = true;
    if (!backend->breaker_acquire(now_)) {
        permit.release(now_);
        return nullptr;
    }
    auto answer = std::make_unique<ResponseStream::Impl>();
    answer->api = body_for(*backend).api;
    answer->backend = backend;
    answer->index = index;
    const std::string& model = wanted_.key(backend->settings().type);
    answer->outcome = AttemptRecord(backend, generation_->notes[index], model);
    answer->measured =
        Measurement(generation_->notes[index], model, ranking_.facts[index].cold, now_);
    answer->permit = std::move(permit);
    if (router_.energy) answer->work = router_.energy->begin(backend->id(), now_);
    return answer;
}

/// Asks so that a critical request may take the slot back, so that a second backend may overtake
/// it, or as most are asked. Not a coroutine: a frame is what one costs.
awaitable<std::optional<ResponseStream>> Search::ask_as_fits(Answer& answer, std::uint32_t index) {
    const bool preemptible =
        applicant_.level == Priority::best_effort && generation_->config->queue.preempt_best_effort;
    if (preemptible) return ask_preemptibly(answer);
    const auto patience = hedge_after(index);
    return patience ? ask_hedged(answer, index, *patience) : ask(answer);
}

/// Asks, until a critical request needs the slot: then the backend counts as not asked, and the
/// request waits at the head of its level.
awaitable<std::optional<ResponseStream>> Search::ask_preemptibly(Answer& answer) {
    const auto executor = co_await boost::asio::this_coro::executor;
    const std::uint32_t index = answer->index;
    boost::asio::cancellation_signal signal;
    PreemptionGuard guard(router_.admission, executor, answer->permit, applicant_.since, signal);
    std::exception_ptr failure;
    auto asking = ask(answer);
    auto asked = co_await runtime::until_cancelled(signal, std::move(asking), failure);
    const bool kept = guard.keep();
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    const bool client_left = state.cancelled() != boost::asio::cancellation_type::none;
    if (failure && (kept || client_left)) std::rethrow_exception(failure);
    if (asked && !*asked) co_return std::nullopt;  // it failed by itself
    // a whole answer has given its slot back already
    if (asked && (kept || !(*asked)->is_stream())) co_return std::move(*asked);
    tried_[index] = false;
    returning_ = true;
    co_return std::nullopt;
}

/// Sends the request and reads of the answer what must be there before it is committed.
awaitable<std::optional<ResponseStream>> Search::ask(Answer& answer) {
    const std::shared_ptr<upstream::Backend> backend = answer->backend;
    upstream::UpstreamRequest upstream_request;
    const Body sent = body_for(*backend);
    upstream_request.target = codec::path_of(sent.api);
    upstream_request.fields = request_.fields;
    upstream_request.authorization = request_.authorization;
    upstream_request.body = sent.text;
    std::string body_with_alias;
    if (wanted_.by_alias && sent.scan.model_end > 0) {
        body_with_alias = codec::replace_model(sent.text, sent.scan, wanted_.model);
        upstream_request.body = body_with_alias;
    }
    const config::Timeouts& limits = backend->settings().timeouts;
    upstream::ExchangeTimeouts timeouts;
    timeouts.connect = limits.connect;
    const CandidateFacts& known = ranking_.facts[answer->index];
    timeouts.head = request_.scan.stream
                        ? head_timeout(limits.first_byte, limits.whole, known.load_ms)
                        : limits.whole;
    timeouts.stall = request_.scan.stream ? limits.stall : Milliseconds{0};

    auto opened = co_await Exchange::open(backend, upstream_request, timeouts);
    now_ = Clock::now();
    if (!opened) {
        // what never reached the backend has cost it nothing
        if (opened.error().kind == OpenFailure::refused ||
            opened.error().kind == OpenFailure::connect_timeout) {
            answer->work.forget();
        }
        open_failed(opened.error(), answer->outcome);
        co_return std::nullopt;
    }
    answer->exchange.emplace(std::move(*opened));
    const upstream::AnswerHead& head = answer->exchange->head();
    answer->status = head.status;
    answer->fields = answer->exchange->take_fields();
    answer->length = head.length;
    const std::string retry_after = head.retry_after;
    begin_fill(answer);
    bool filled = false;
    if (answer->mode != ResponseStream::Impl::Mode::whole) {
        filled = co_await fill_stream(answer);
    } else if (take_at_hand(answer)) {
        filled = finish_whole(answer);
    } else {
        filled = co_await fill_whole(answer);
    }
    if (!filled) co_return std::nullopt;
    if (!judge(answer, retry_after)) co_return std::nullopt;
    answer->outcome.succeeded(now_);
    if (answer->status < 400) note_answer(*answer);
    answer->retry = std::move(lease_);
    co_return ResponseStream(std::move(answer));
}

/// The answer is good: what there is to see of its times begins or ends here.
void Search::note_answer(ResponseStream::Impl& answer) {
    if (answer.mode == ResponseStream::Impl::Mode::events) {
        answer.measured.begin_stream(answer.watcher->facts(), context_.received, now_);
    } else if (answer.mode == ResponseStream::Impl::Mode::whole) {
        answer.measured.whole_reply(answer.whole_facts, now_);
    }
    const std::uint32_t index = answer.index;
    router_.affinity.note(affinity_, generation_->notes[index]->affinity, now_);
    if (!ranking_.facts[index].cold) return;
    // it is warm from now on; a backend that never says so is not asked for every request
    BackendNotes& notes = *generation_->notes[index];
    auto due = notes.ask_what_is_loaded_at.load(std::memory_order_relaxed);
    const auto later = (now_ + kLoadedAgain).time_since_epoch().count();
    if (now_.time_since_epoch().count() >= due &&
        notes.ask_what_is_loaded_at.compare_exchange_strong(due, later)) {
        router_.health.refresh_soon(answer.backend);
    }
}

/// Nothing was answered. What never reached a backend costs nothing; a timeout costs an attempt.
void Search::open_failed(const upstream::OpenError& failure, AttemptRecord& outcome) {
    if (failure.kind == OpenFailure::source_failed) {
        outcome.cancelled();
    } else {
        outcome.failed(word_of(failure.kind));
    }
    note_failure(failure.error);
    const bool free = failure.kind == OpenFailure::refused ||
                      failure.kind == OpenFailure::connect_timeout ||
                      failure.kind == OpenFailure::closed_before_head;
    if (!free) keep(nullptr);
}

/// Decides how the answer will be passed on.
void Search::begin_fill(Answer& answer) {
    const upstream::AnswerHead& head = answer->exchange->head();
    const bool events =
        head.kind == upstream::BodyKind::events && head.status < 300 && head.has_body;
    if (!events) return;
    // what is encoded cannot be read, but it is a stream all the same
    answer->mode =
        head.encoded ? ResponseStream::Impl::Mode::raw : ResponseStream::Impl::Mode::events;
    if (!head.encoded) answer->watcher.emplace(codec::stream_dialect_of(answer->api));
}

/// Takes what of a whole body came with its head. True when that was all of it.
bool Search::take_at_hand(Answer& answer) {
    for (;;) {
        const auto pieces = answer->exchange->at_hand();
        if (!pieces) return false;
        if (pieces->empty()) return true;
        for (std::string_view piece : *pieces) answer->body.append(piece);
    }
}

/// Reads as much of the answer as must be there before it is committed. False: the answer broke.
awaitable<bool> Search::fill_stream(Answer& answer) {
    std::string join;
    for (;;) {
        auto read = co_await answer->exchange->next();
        now_ = Clock::now();
        if (!read) {
            answer->outcome.failed(codec::code_name(read.error().code));
            note_failure(read.error());
            keep(nullptr);
            co_return false;
        }
        if (read->empty()) {
            if (answer->watcher) answer->first = answer->take_tail();
            answer->all_in_first = true;
            const bool whole = answer->watcher && (answer->watcher->complete() ||
                                                   answer->watcher->facts().first_is_error);
            if (whole) co_return true;
            // nothing has gone to the client yet: another backend may do better
            answer->outcome.failed("incomplete");
            note_failure(make_error(Errc::bad_gateway, "backend '" + answer->backend->id() +
                                                           "' ended its stream at once"));
            keep(nullptr);
            co_return false;
        }
        if (!answer->watcher) {
            for (std::string_view piece : *read) answer->first.append(piece);
            co_return true;
        }
        const auto release = watch_pieces(*answer->watcher, *read, join);
        answer->work.tokens(answer->watcher->facts().content_events);
        if (release.empty()) continue;
        answer->first.assign(release.held).append(release.fresh);
        co_return true;
    }
}

awaitable<bool> Search::fill_whole(Answer& answer) {
    std::string& body = answer->body;
    if (answer->length) body.reserve(std::min<std::uint64_t>(*answer->length, kHeldBody));
    for (;;) {
        auto read = co_await answer->exchange->next();
        now_ = Clock::now();
        if (!read) {
            answer->outcome.failed(codec::code_name(read.error().code));
            note_failure(read.error());
            keep(nullptr);
            co_return false;
        }
        if (read->empty()) break;
        for (std::string_view piece : *read) body.append(piece);
        if (body.size() > kHeldBody) {
            answer->mode = ResponseStream::Impl::Mode::raw;
            answer->first = std::move(body);
            co_return true;
        }
    }
    co_return finish_whole(answer);
}

}  // namespace ollama_proxy::router
