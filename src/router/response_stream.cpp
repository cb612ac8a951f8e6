#include "ollama_proxy/router/response_stream.hpp"

#include "ollama_proxy/codec/error_body.hpp"
#include "router/response_stream_impl.hpp"

namespace ollama_proxy::router {
using boost::asio::awaitable;

namespace {

constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";

/// The two APIs whose streams end with `[DONE]` by contract, so that it is added where it lacks.
bool ends_with_done(codec::Api api) {
    return api == codec::Api::chat_completions || api == codec::Api::completions;
}

}  // namespace

codec::StreamWatcher::Release watch_pieces(codec::StreamWatcher& watcher,
                                           std::span<const std::string_view> pieces,
                                           std::string& join) {
    if (pieces.size() == 1) return watcher.feed(pieces.front());
    join.clear();
    for (std::string_view piece : pieces) {
        const auto release = watcher.feed(piece);
        join.append(release.held).append(release.fresh);
    }
    return {join, {}};
}

void ResponseStream::Impl::end_work(TimePoint now) {
    const codec::AnswerFacts& seen = watcher ? watcher->facts() : whole_facts;
    if (auto drawn = work.finish(seen.completion_tokens.value_or(seen.content_events), now)) {
        measured.drew(drawn->joules);
        drawn->joules += copy_joules;
        charge = drawn;
    }
}

void ResponseStream::Impl::add_energy_of(Impl& copy) {
    const auto drawn = copy.work.finish(0);
    if (!drawn) return;
    if (charge) {
        charge->joules += drawn->joules;
    } else {
        copy_joules = drawn->joules;
    }
}

/// Whatever ended a stream early: how long its first token took is known.
ResponseStream::Impl::~Impl() {
    if (watcher) measured.end_stream(watcher->facts(), false);
}

void ResponseStream::Impl::release() {
    const TimePoint now = Clock::now();
    end_work(now);
    phase = Phase::over;
    exchange.reset();
    permit.release(now);
    retry = {};
}

Step ResponseStream::Impl::broken(Error error, bool announce) {
    outcome.failed(codec::code_name(error.code));
    count_error(error.code);
    release();
    Step step;
    step.kind = Step::Kind::broken;
    step.error = std::move(error);
    step.announce = announce;
    return step;
}

/// The transport ended cleanly; whether the answer did is for its dialect to say.
Step ResponseStream::Impl::judge_end() {
    if (watcher && !watcher->complete()) {
        const codec::AnswerFacts& seen = watcher->facts();
        if (seen.error) {
            return broken(
                make_error(Errc::bad_gateway, "the backend reported: " + seen.error_message),
                false);
        }
        if (!seen.blind) {
            return broken(
                make_error(Errc::bad_gateway, "backend '" + backend->id() +
                                                  "' ended its answer without completing it"),
                watcher->at_boundary());
        }
    }
    if (lines && exchange->ended_by_close() && !lines->complete()) {
        return broken(make_error(Errc::bad_gateway, "backend '" + backend->id() +
                                                        "' closed in the middle of its answer"),
                      at_boundary());
    }
    outcome.succeeded();
    if (on_success) on_success();
    release();
    if (watcher) measured.end_stream(watcher->facts(), true);
    return {};
}

std::string_view ResponseStream::Impl::take_tail() {
    const std::string_view tail = watcher->finish();
    const codec::AnswerFacts& seen = watcher->facts();
    // the stream is broken, and half an event must not reach the client as one
    if (!watcher->complete() && !seen.error && !seen.blind) return {};
    if (!ends_with_done(api) || !seen.finished || seen.done_marker || seen.error) return tail;
    thread_local std::string joined;
    joined.assign(tail).append(watcher->separator()).append(kDoneEvent);
    return joined;
}

awaitable<Step> ResponseStream::Impl::next() {
    Step step;
    step.kind = Step::Kind::piece;
    if (phase == Phase::first) {
        phase = all_in_first ? Phase::last_tail : Phase::flowing;
        if (!first.empty()) {
            step.parts[0] = first;
            step.boundary = !all_in_first && at_boundary();
            co_return step;
        }
    }
    if (!first.empty()) std::string().swap(first);  // sent: a stream may idle for minutes
    while (phase == Phase::flowing) {
        auto read = co_await exchange->next();
        if (!read) co_return broken(read.error(), at_boundary());
        if (read->empty()) {
            phase = Phase::last_tail;
            if (!watcher) break;
            step.parts[0] = take_tail();
            if (!step.parts[0].empty()) co_return step;
            break;
        }
        thread_local std::string join;
        if (watcher) {
            const auto release = watch_pieces(*watcher, *read, join);
            step.parts = {release.held, release.fresh};
            if (release.empty()) continue;
            measured.piece(watcher->facts(), Clock::now());
            step.boundary = watcher->at_boundary();
            work.tokens(watcher->facts().content_events);
        } else if (read->size() == 1) {
            step.parts[0] = read->front();
        } else {
            join.clear();
            for (std::string_view piece : *read) join.append(piece);
            step.parts[0] = join;
        }
        if (lines) {
            lines->feed(step.parts[0]);
            step.boundary = lines->at_boundary();
        }
        co_return step;
    }
    co_return judge_end();
}

ResponseStream::ResponseStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ResponseStream::ResponseStream(ResponseStream&&) noexcept = default;
ResponseStream& ResponseStream::operator=(ResponseStream&&) noexcept = default;
ResponseStream::~ResponseStream() = default;

int ResponseStream::status() const { return impl_->status; }
const std::string& ResponseStream::fields() const { return impl_->fields; }
bool ResponseStream::is_stream() const { return impl_->mode != Impl::Mode::whole; }
bool ResponseStream::is_event_stream() const { return impl_->mode == Impl::Mode::events; }
std::optional<std::uint64_t> ResponseStream::length() const { return impl_->length; }
const std::string& ResponseStream::body() const { return impl_->body; }
awaitable<Step> ResponseStream::next() { return impl_->next(); }
awaitable<DeltaStep> ResponseStream::next_delta() { return impl_->next_delta(); }
codec::Api ResponseStream::api() const { return impl_->api; }

codec::AnswerSummary ResponseStream::summary() const {
    return impl_->decoding ? impl_->decoding->decoder.summary() : codec::AnswerSummary{};
}

std::optional<monitors::EnergyCharge> ResponseStream::energy() const { return impl_->charge; }

const codec::AnswerFacts& ResponseStream::facts() const {
    return impl_->watcher ? impl_->watcher->facts() : impl_->whole_facts;
}

}  // namespace ollama_proxy::router
