// What an answer or a failure means for the search: commit it, try another backend, or give up.
#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/common/ascii.hpp"
#include "router/retry_after.hpp"
#include "router/search.hpp"

#include <algorithm>
#include <ctime>

namespace ollama_proxy::router {
namespace {

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

/// A failing status as the metrics call it: those that mean a failure are few.
std::string_view status_word(int status) {
    switch (status) {
        case 408:
            return "status_408";
        case 500:
            return "status_500";
        case 502:
            return "status_502";
        case 503:
            return "status_503";
        case 504:
            return "status_504";
        default:
            return "status_other";
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

}  // namespace

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

/// Judges a body that is all there.
bool Search::finish_whole(Answer& answer) {
    const std::string& body = answer->body;
    // the end of a connection proves nothing: only the JSON itself can tell that it is whole
    const bool unproven = answer->exchange->ended_by_close() &&
                          answer->exchange->head().kind == upstream::BodyKind::json;
    answer->mode = ResponseStream::Impl::Mode::whole;
    answer->exchange.reset();
    answer->permit.release(now_);
    if (!answer->fields.empty() && answer->status < 400) {
        answer->whole_facts = codec::inspect_answer(answer->api, body);
    }
    answer->end_work(now_);
    if (unproven && answer->whole_facts.malformed) {
        answer->outcome.failed("incomplete");
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
    // what is listed there tells one 404 from another
    const bool listed = answer->status == 404 && backend->catalog()->find(key) != nullptr;
    Verdict verdict = verdict_of(answer->status, answer->api, listed);
    const bool in_band = answer->watcher && answer->watcher->facts().first_is_error;
    if (in_band) {
        // 200 and then an error: the status that was meant, while nothing is committed
        const int meant = answer->watcher->facts().error_status;
        answer->status = meant >= 400 ? meant : 500;
        answer->body = codec::error_body(
            codec::error_dialect_of(answer->api),
            make_error(Errc::bad_gateway, answer->watcher->facts().error_message));
        answer->mode = ResponseStream::Impl::Mode::whole;
        answer->fields = "Content-Type: application/json\r\n";
        answer->watcher.reset();
        verdict = verdict_of(answer->status, answer->api, true);
        if (verdict == Verdict::client_fault) verdict = Verdict::failed;
    }
    if (answer->mode == ResponseStream::Impl::Mode::raw) {
        // too large to be held: committed, whatever it says
        if (verdict == Verdict::failed) answer->outcome.failed(status_word(answer->status));
        return true;
    }
    switch (verdict) {
        case Verdict::good:
            if (answer->whole_facts.error) answer->outcome.failed("in_band_error");
            return true;
        case Verdict::client_fault:
            return true;
        case Verdict::route_missing:
            backend->mark_lacking(answer->api);
            answer->outcome.succeeded();
            return false;
        case Verdict::model_missing:
            answer->outcome.succeeded();
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
            answer->outcome.was_busy();
            retry_after_s_ = std::max(retry_after_s_, seconds);
            keep(std::move(answer));
            return false;
        }
        case Verdict::failed:
            answer->outcome.failed(in_band ? std::string_view("in_band_error")
                                           : status_word(answer->status));
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

}  // namespace ollama_proxy::router
