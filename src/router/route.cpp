#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/common/ascii.hpp"
#include "router/retry_after.hpp"
#include "router/router_impl.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <ctime>

namespace ollama_proxy::router {
using boost::asio::awaitable;
using upstream::Exchange;
using upstream::OpenFailure;
using upstream::Outcome;

namespace {

constexpr std::size_t kHeldBody = 16 * 1024 * 1024;
constexpr Milliseconds kProbeWait{40};
/// A backend whose client left before the first byte goes on with the prompt for about this long.
constexpr Milliseconds kComputesOn{250};

/// Everything about one request while it looks for an answer.
class Search {
  public:
    Search(Router::Impl& router, const InferenceRequest& request, const RequestContext& context,
           RouteInfo& info)
        : router_(router),
          request_(request),
          context_(context),
          info_(info),
          generation_(router.generation.load()),
          wanted_(wanted_of(*generation_->config, request.api, request.scan.model)),
          tried_(generation_->backends->backends.size(), false) {
        wanted_.tried = &tried_;
    }

    awaitable<Result<ResponseStream>> run();

  private:
    using Answer = std::unique_ptr<ResponseStream::Impl>;

    Result<std::optional<std::uint32_t>> target() const;
    void note_decision();
    std::optional<Admitted> admit_now();
    awaitable<Result<Admitted>> admit();
    awaitable<std::optional<ResponseStream>> attempt(std::uint32_t index, Permit permit);
    awaitable<std::optional<ResponseStream>> ask(Answer& answer);
    static void begin_fill(Answer& answer, codec::Api api);
    static bool take_at_hand(Answer& answer);
    bool finish_whole(Answer& answer);
    awaitable<bool> fill_stream(Answer& answer);
    awaitable<bool> fill_whole(Answer& answer);
    void open_failed(const upstream::OpenError& failure, OutcomeRecord& outcome);
    bool judge(Answer& answer, const std::string& retry_after);
    void keep(Answer answer);
    void note_failure(Error error);
    [[nodiscard]] bool only_the_model_is_missing() const;
    Result<ResponseStream> give_up();

    Router::Impl& router_;
    const InferenceRequest& request_;
    const RequestContext& context_;
    RouteInfo& info_;
    std::shared_ptr<const Generation> generation_;
    Wanted wanted_;
    std::vector<bool> tried_;
    Router::Impl::Ranking ranking_;
    std::vector<Place> places_;         ///< where it may go, best first
    std::vector<std::uint32_t> order_;  ///< and which backend each of them is
    std::string body_with_alias_;
    RetryBudget::Lease lease_;

    unsigned attempts_ = 0;  ///< answers and timeouts so far
    bool may_retry_ = true;
    bool probed_ = false;
    Answer first_error_;            ///< the first backend answer that was an error, for the end
    Answer missing_;                ///< the first 404 for the model, if nothing worse happened
    std::optional<Error> failure_;  ///< the gravest failure without an answer
    int retry_after_s_ = 0;         ///< longest seen
};

/// Keeps the slot taken for a while after its request was cancelled.
void charge_on(const boost::asio::any_io_executor& executor, Permit permit) {
    auto timer = std::make_shared<boost::asio::steady_timer>(executor, kComputesOn);
    timer->async_wait([timer, held = std::move(permit)](auto) mutable { held.release(); });
}

int seconds_of(std::string_view retry_after) {
    return retry_after_seconds(retry_after, std::time(nullptr));
}

/// Of two failures without an answer the graver one is told: 504 over 502 over 503.
int gravity(Errc code) {
    switch (code) {
        case Errc::upstream_timeout:
            return 3;
        case Errc::bad_gateway:
            return 2;
        default:
            return 1;
    }
}

/// Header lines with their Retry-After replaced.
void set_retry_after(std::string& fields, int seconds) {
    std::string out;
    for (std::size_t begin = 0; begin < fields.size();) {
        const std::size_t end = fields.find("\r\n", begin) + 2;
        const std::string_view line = std::string_view(fields).substr(begin, end - begin);
        if (!iequals(line.substr(0, line.find(':')), "retry-after")) out.append(line);
        begin = end;
    }
    out.append("Retry-After: ").append(std::to_string(seconds)).append("\r\n");
    fields = std::move(out);
}

Result<std::optional<std::uint32_t>> Search::target() const {
    const std::string& id = request_.hints.target;
    if (id.empty()) return std::optional<std::uint32_t>{};
    std::string known;
    for (const auto& backend : generation_->backends->backends) {
        if (backend->id() == id) return std::optional<std::uint32_t>{backend->index()};
        known += (known.empty() ? "" : ", ") + backend->id();
    }
    return make_error(Errc::backend_not_found,
                      "no backend is called '" + id + "'; there are: " + known, "X-Target-Backend");
}

void Search::note_decision() {
    const Decision& decision = ranking_.decision;
    const CandidateFacts& best = ranking_.facts[decision.usable.front().index];
    const auto policy = router_.policy.load();
    info_.decided = true;
    info_.backend = best.id;
    info_.estimated_latency_ms = best.latency_ms;
    info_.estimated_watts = best.watts;
    info_.reason = reason_text(decision.reason, policy->effective);
    info_.alternatives.clear();
    for (std::size_t i = 1; i < decision.usable.size(); ++i) {
        if (i > 1) info_.alternatives += ',';
        info_.alternatives += ranking_.facts[decision.usable[i].index].id;
    }
}

/// A slot that is free now at a backend that may serve, best first; `order_` tells which place is
/// whose.
std::optional<Admitted> Search::admit_now() {
    const Decision& decision = ranking_.decision;
    places_.clear();
    order_.clear();
    for (const RankedCandidate& candidate : decision.usable) {
        const auto& backend = generation_->backends->backends[candidate.index];
        places_.push_back({backend, wanted_.key(backend->settings().type)});
        order_.push_back(candidate.index);
        if (decision.wait_for_target) break;
    }
    std::size_t depth = 0;
    auto admitted = router_.admission.try_acquire(places_, request_.hints.priority, depth);
    info_.queue_depth = std::max(info_.queue_depth, depth);
    return admitted;
}

/// Waits for a slot at any of the same backends.
awaitable<Result<Admitted>> Search::admit() {
    const config::Queue& queue = generation_->config->queue;
    const TimePoint before = Clock::now();
    std::size_t depth = 0;
    auto admitted =
        co_await router_.admission.acquire(places_, request_.hints.priority, context_.deadline,
                                           {queue.max_size, queue.timeout}, depth);
    info_.queue_depth = std::max(info_.queue_depth, depth);
    info_.queue_wait_ms += to_ms(Clock::now() - before);
    co_return admitted;
}

awaitable<Result<ResponseStream>> Search::run() {
    auto target_index = target();
    if (!target_index) co_return target_index.error();
    info_.mode = config::to_string(router_.policy.load()->effective);
    for (;;) {
        if (!router_.accepting.load(std::memory_order_relaxed)) {
            Error error = make_error(Errc::shutting_down, "the proxy is shutting down");
            error.retry_after_s = 1;
            co_return error;
        }
        router_.rank(*generation_, wanted_, request_.hints, *target_index, ranking_);
        if (ranking_.decision.usable.empty() || !may_retry_) {
            // a backend that was started after the proxy serves its first request already
            const bool refused_by_health = std::ranges::any_of(
                ranking_.decision.refused,
                [](const RankedCandidate& c) { return c.refusal == Refusal::unhealthy; });
            if (!probed_ && may_retry_ && refused_by_health) {
                probed_ = true;
                if (co_await router_.health.probe_refused(kProbeWait)) continue;
            }
            co_return give_up();
        }
        note_decision();
        auto admitted = admit_now();
        if (!admitted) {
            auto waited = co_await admit();
            if (!waited) co_return waited.error();
            admitted = std::move(*waited);
        }
        const std::uint32_t index = order_[admitted->place];
        info_.backend = generation_->backends->backends[index]->id();
        info_.estimated_latency_ms = ranking_.facts[index].latency_ms;
        info_.estimated_watts = ranking_.facts[index].watts;
        auto answer = co_await attempt(index, std::move(admitted->permit));
        if (answer) co_return std::move(*answer);
    }
}

awaitable<std::optional<ResponseStream>> Search::attempt(std::uint32_t index, Permit permit) {
    const std::shared_ptr<upstream::Backend> backend = generation_->backends->backends[index];
    const auto executor = co_await boost::asio::this_coro::executor;
    tried_[index] = true;
    if (!backend->breaker_acquire(Clock::now())) co_return std::nullopt;
    auto answer = std::make_unique<ResponseStream::Impl>();
    answer->api = request_.api;
    answer->backend = backend;
    answer->outcome = OutcomeRecord(backend);
    answer->permit = std::move(permit);
    try {
        co_return co_await ask(answer);
    } catch (const boost::system::system_error&) {  // cancelled: the client has left
        if (answer && answer->permit.holds()) charge_on(executor, std::move(answer->permit));
        throw;
    }
}

/// Sends the request and reads of the answer what must be there before it is committed.
awaitable<std::optional<ResponseStream>> Search::ask(Answer& answer) {
    const std::shared_ptr<upstream::Backend> backend = answer->backend;
    upstream::UpstreamRequest upstream_request;
    upstream_request.target = codec::path_of(request_.api);
    upstream_request.fields = request_.fields;
    upstream_request.authorization = request_.authorization;
    upstream_request.body = request_.body;
    if (wanted_.by_alias && request_.scan.model_end > 0) {
        if (body_with_alias_.empty()) {
            body_with_alias_ = codec::replace_model(request_.body, request_.scan, wanted_.model);
        }
        upstream_request.body = body_with_alias_;
    }
    const config::Timeouts& limits = backend->settings().timeouts;
    upstream::ExchangeTimeouts timeouts;
    timeouts.connect = limits.connect;
    timeouts.head = request_.scan.stream ? limits.first_byte : limits.whole;
    timeouts.stall = request_.scan.stream ? limits.stall : Milliseconds{0};

    auto opened = co_await Exchange::open(backend, upstream_request, timeouts);
    if (!opened) {
        open_failed(opened.error(), answer->outcome);
        co_return std::nullopt;
    }
    answer->exchange.emplace(std::move(*opened));
    const upstream::AnswerHead& head = answer->exchange->head();
    answer->status = head.status;
    answer->fields = answer->exchange->take_fields();
    answer->length = head.length;
    const std::string retry_after = head.retry_after;
    begin_fill(answer, request_.api);
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
    answer->outcome.record(Outcome::success);
    answer->retry = std::move(lease_);
    co_return ResponseStream(std::move(answer));
}

/// Nothing was answered. What never reached a backend costs nothing; a timeout costs an attempt.
void Search::open_failed(const upstream::OpenError& failure, OutcomeRecord& outcome) {
    outcome.record(failure.kind == OpenFailure::source_failed ? Outcome::cancelled
                                                              : Outcome::failure);
    note_failure(failure.error);
    const bool free = failure.kind == OpenFailure::refused ||
                      failure.kind == OpenFailure::connect_timeout ||
                      failure.kind == OpenFailure::closed_before_head;
    if (!free) keep(nullptr);
}

void Search::note_failure(Error error) {
    // half an event and then silence: to the client nothing has come at all
    if (error.code == Errc::upstream_stalled) error.code = Errc::upstream_timeout;
    if (!failure_ || gravity(error.code) > gravity(failure_->code)) failure_ = std::move(error);
}

/// Counts a failed attempt and decides whether another may follow.
void Search::keep(Answer answer) {
    if (answer && !first_error_) {
        answer->permit.release();
        answer->exchange.reset();
        first_error_ = std::move(answer);
    }
    ++attempts_;
    const config::Retry& retry = generation_->config->router.retry;
    if (attempts_ >= retry.max_attempts) {
        may_retry_ = false;
        return;
    }
    if (lease_.granted()) return;
    lease_ = router_.retries.acquire(router_.admission.in_flight(), retry.budget_percent,
                                     retry.budget_min);
    if (!lease_.granted()) may_retry_ = false;
}

/// Decides how the answer will be passed on.
void Search::begin_fill(Answer& answer, codec::Api api) {
    const upstream::AnswerHead& head = answer->exchange->head();
    const bool events =
        is_event_stream_type(head.content_type) && head.status < 300 && head.has_body;
    if (!events) return;
    // what is encoded cannot be read, but it is a stream all the same
    answer->mode =
        head.encoded ? ResponseStream::Impl::Mode::raw : ResponseStream::Impl::Mode::events;
    if (!head.encoded) answer->watcher.emplace(codec::stream_dialect_of(api));
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
        if (!read) {
            answer->outcome.record(Outcome::failure);
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
            answer->outcome.record(Outcome::failure);
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
        if (!read) {
            answer->outcome.record(Outcome::failure);
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

/// Judges a body that is all there.
bool Search::finish_whole(Answer& answer) {
    const std::string& body = answer->body;
    // the end of a connection proves nothing: only the JSON itself can tell that it is whole
    const bool unproven = answer->exchange->ended_by_close() &&
                          answer->exchange->head().content_type == "application/json";
    answer->mode = ResponseStream::Impl::Mode::whole;
    answer->exchange.reset();
    answer->permit.release();
    if (!answer->fields.empty() && answer->status < 400) {
        answer->whole_facts = codec::inspect_answer(request_.api, body);
    }
    if (unproven && answer->whole_facts.malformed) {
        answer->outcome.record(Outcome::failure);
        note_failure(make_error(Errc::bad_gateway, "backend '" + answer->backend->id() +
                                                       "' closed in the middle of its answer"));
        keep(nullptr);
        return false;
    }
    return true;
}

/// True when the answer may go to the client; otherwise it is kept or dropped and the search goes
/// on.
bool Search::judge(Answer& answer, const std::string& retry_after) {
    const std::shared_ptr<upstream::Backend> backend = answer->backend;
    const std::string& key = wanted_.key(backend->settings().type);
    Verdict verdict = verdict_of(answer->status, request_.api, backend->catalog()->find(key));
    if (answer->watcher && answer->watcher->facts().first_is_error) {
        // 200 and then an error: the status that was meant, while nothing is committed
        const int meant = answer->watcher->facts().error_status;
        answer->status = meant >= 400 ? meant : 500;
        answer->body = codec::error_body(
            codec::error_dialect_of(request_.api),
            make_error(Errc::bad_gateway, answer->watcher->facts().error_message));
        answer->mode = ResponseStream::Impl::Mode::whole;
        answer->fields = "Content-Type: application/json\r\n";
        answer->watcher.reset();
        verdict = verdict_of(answer->status, request_.api, true);
        if (verdict == Verdict::client_fault) verdict = Verdict::failed;
    }
    if (answer->mode == ResponseStream::Impl::Mode::raw) {
        // too large to be held: committed, whatever it says
        if (verdict == Verdict::failed) answer->outcome.record(Outcome::failure);
        return true;
    }
    switch (verdict) {
        case Verdict::good:
            if (answer->whole_facts.error) answer->outcome.record(Outcome::failure);
            return true;
        case Verdict::client_fault:
            return true;
        case Verdict::route_missing:
            backend->mark_lacking(request_.api);
            answer->outcome.record(Outcome::success);
            return false;
        case Verdict::model_missing:
            answer->outcome.record(Outcome::success);
            if (!wanted_.model.empty()) {
                backend->mark_absent(key);
                router_.health.refresh_soon(backend);
            }
            if (!missing_) {
                answer->permit.release();
                answer->exchange.reset();
                missing_ = std::move(answer);
            }
            return false;
        case Verdict::busy: {
            const int seconds = seconds_of(retry_after);
            backend->park_until(Clock::now() + std::chrono::seconds(seconds));
            answer->outcome.record(Outcome::busy);
            retry_after_s_ = std::max(retry_after_s_, seconds);
            keep(std::move(answer));
            return false;
        }
        case Verdict::failed:
            answer->outcome.record(Outcome::failure);
            if (!retry_after.empty()) {
                retry_after_s_ = std::max(retry_after_s_, seconds_of(retry_after));
            }
            keep(std::move(answer));
            return false;
    }
    return true;
}

/// Everybody who could be asked lacks the model: nobody is merely out of reach.
bool Search::only_the_model_is_missing() const {
    return std::ranges::all_of(ranking_.decision.refused, [](const RankedCandidate& one) {
        return speaks_of_model(one.refusal) || one.refusal == Refusal::already_tried ||
               one.refusal == Refusal::disabled;
    });
}

/// Nobody is left. The first backend's own error is the best answer there is; else the gravest
/// failure; else the reasons why nobody was asked.
Result<ResponseStream> Search::give_up() {
    if (first_error_) {
        const int status = first_error_->status;
        if (status == 502 || status == 503 || status == 504) first_error_->status = 503;
        if (first_error_->status == 503 || status == 429) {
            set_retry_after(first_error_->fields, std::max(retry_after_s_, 1));
        }
        return ResponseStream(std::move(first_error_));
    }
    if (!failure_ && missing_ && only_the_model_is_missing()) {
        return ResponseStream(std::move(missing_));
    }
    Error error = nobody_error(*generation_, wanted_, request_.hints, ranking_.decision,
                               ranking_.facts, Clock::now());
    if (!failure_) return error;
    if (failure_->code != Errc::upstream_refused) return *failure_;
    error.code = Errc::no_available_backends;
    error.param.clear();
    error.retry_after_s = std::max(error.retry_after_s, 1);
    return error;
}

}  // namespace

awaitable<Result<ResponseStream>> Router::route(const InferenceRequest& request,
                                                const RequestContext& context, RouteInfo& info) {
    impl_->health.note_request();
    Search search(*impl_, request, context, info);
    co_return co_await search.run();
}

}  // namespace ollama_proxy::router
