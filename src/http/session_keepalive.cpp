// What a streaming client is sent while its request waits, and what follows from it: with the first
// comment the 200 is committed, so an error has to be told inside of the stream.
#include "http/chunk_head.hpp"
#include "http/http_metrics.hpp"
#include "http/session.hpp"
#include "ollama_proxy/runtime/run_both.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using asio::awaitable;
using router::ResponseStream;

namespace {

/// Event streams know comments; lines of JSON do not.
bool has_events(codec::Api api) {
    switch (api) {
        case codec::Api::chat_completions:
        case codec::Api::completions:
        case codec::Api::responses:
        case codec::Api::messages:
            return true;
        default:
            return false;
    }
}

/// What the two sides share.
struct Wait {
    std::optional<Result<ResponseStream>> answer;
    runtime::Side fetching;
    runtime::Side commenting;
    bool over = false;  ///< it may be before the comments begin, or while their timer has expired
};

/// `source` into `wait.answer`; then nobody need be kept waiting any more.
awaitable<void> fetch(awaitable<Result<ResponseStream>> source, Wait& wait) {
    struct Over {
        Wait& wait;
        ~Over() {
            wait.over = true;
            wait.commenting.cancel.emit(asio::cancellation_type::total);
        }
    } over{wait};
    wait.answer.emplace(co_await std::move(source));
}

}  // namespace

bool Session::comments_while_waiting() const {
    return config_->stream.keepalive > Milliseconds(0) && record_.stream &&
           request_.minor_version > 0 && request_.route->handler == Handler::inference &&
           has_events(request_.route->api);
}

/// `source`, and comments until it is there. `unsent` is what the client has not taken of them.
awaitable<Result<ResponseStream>> Session::with_comments(awaitable<Result<ResponseStream>> source,
                                                         const router::RouteInfo& info,
                                                         std::string& unsent) {
    Wait wait;
    co_await runtime::run_both(fetch(std::move(source), wait), wait.fetching,
                               comment(info, wait.over, unsent), wait.commenting);
    if (wait.fetching.failure) std::rethrow_exception(wait.fetching.failure);
    if (wait.commenting.failure) std::rethrow_exception(wait.commenting.failure);
    co_return std::move(*wait.answer);
}

/// A comment now and then, until `over`. Never waits for the client: cancelling leaves no part of a
/// comment behind that `unsent` does not know.
awaitable<void> Session::comment(const router::RouteInfo& info, const bool& over,
                                 std::string& unsent) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!over) {
        timer.expires_after(config_->stream.keepalive);
        const auto [cancelled] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        if (cancelled || over) co_return;
        // where it cannot be sent the client has left, which ends the request
        if (!(unsent.empty() ? send_comment(info.waiting, unsent) : send_again(unsent))) co_return;
        stream_open_ = unsent.empty();
    }
}

/// One comment as far as the kernel takes it, with the head if it is the first. False: nobody is
/// there any more.
bool Session::send_comment(std::size_t waiting, std::string& unsent) {
    std::string head;
    if (!opened_) {
        head = head_of(200,
                       "Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                       "X-Accel-Buffering: no\r\n",
                       nullptr, "Transfer-Encoding: chunked\r\n");
    }
    const std::string text =
        waiting > 0 ? ": queued " + std::to_string(waiting) + "\n\n" : ": waiting\n\n";
    const ChunkHead chunk(text.size());
    const std::array<std::string_view, 4> parts{head, chunk.view(), text, "\r\n"};
    opened_ = true;
    record_.bytes_out += text.size();
    return downstream_.write_first(parts, unsent);
}

/// What the client did not take before.
bool Session::send_again(std::string& unsent) {
    const std::string before = std::exchange(unsent, {});
    const std::array<std::string_view, 1> parts{before};
    return downstream_.write_first(parts, unsent);
}

/// What comes behind comments. Not a coroutine: a stream would hold its frame.
awaitable<Session::After> Session::answer_opened(Result<ResponseStream> answer,
                                                 std::string unsent) {
    if (answer && answer->is_event_stream() && answer->status() == 200) {
        return relay_stream(std::move(*answer), std::move(unsent), true);
    }
    return refuse_opened(std::move(answer), std::move(unsent));
}

/// An error, or an answer that is no stream of events, told as the one event of the stream. The
/// last chunk is left out, as where a stream breaks.
awaitable<Session::After> Session::refuse_opened(Result<ResponseStream> answer,
                                                 std::string unsent) {
    std::optional<std::string> event;
    Error error;
    if (!answer) {
        error = answer.error();  // the router has counted it
    } else if (answer->status() < 400) {
        error = make_error(Errc::bad_gateway,
                           "the backend's answer is no stream of events, and this one has begun: "
                           "with such backends stream.keepalive_ms must be 0");
        count_refusal(error.code);
    } else {
        if (!answer->is_stream()) event = codec::error_event_of(request_.dialect, answer->body());
        error = (co_await answer->next_delta()).error;
    }
    stream_open_ = false;
    note_first_byte();
    record_.error = codec::code_name(error.code);
    if (error.code == Errc::cancelled) co_return After::close;
    if (!event) event = codec::error_event(request_.dialect, error);
    const ChunkHead chunk(event->size());
    const std::array<std::string_view, 4> parts{unsent, chunk.view(), *event, "\r\n"};
    record_.bytes_out += event->size();
    co_await downstream_.write(parts, config_->server.limits.write_stall);
    co_return After::linger;
}

}  // namespace ollama_proxy::http
