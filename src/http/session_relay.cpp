#include "http/chunk_head.hpp"
#include "http/hints.hpp"
#include "http/http_metrics.hpp"
#include "http/session.hpp"
#include "http/session_upload.hpp"
#include "ollama_proxy/codec/json_text.hpp"
#include "ollama_proxy/codec/stream_watcher.hpp"
#include "ollama_proxy/runtime/until_disconnect.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

namespace ollama_proxy::http {
using boost::asio::awaitable;
using router::ResponseStream;
using router::Step;

namespace {

void note_tokens(telemetry::AccessRecord& record, const codec::AnswerFacts& facts) {
    if (facts.completion_tokens) {
        record.tokens = static_cast<std::int64_t>(*facts.completion_tokens);
    } else if (facts.content_events > 0) {
        record.tokens = static_cast<std::int64_t>(facts.content_events);
        record.tokens_estimated = true;
    }
}

void note_route(telemetry::AccessRecord& record, const router::RouteInfo& info) {
    record.backend = info.backend;
    record.reason = info.reason;
    record.queue_ms = info.queue_wait_ms;
}

}  // namespace

/// What the head says of an inference request.
std::optional<Error> Session::take_head(const codec::RequestHead& head,
                                        router::InferenceRequest& request) {
    request.api = request_.route->api;
    request.fields = forwarded_fields(head);
    request.fields.append("X-Request-ID: ").append(request_.request_id).append("\r\n");
    request.authorization = request_.authorization;
    auto hints = parse_hints(head);
    downstream_.consume(head.size);
    if (!hints) return hints.error();
    request.hints = std::move(*hints);
    return std::nullopt;
}

/// What the body says of it.
std::optional<Error> Session::take_scan(router::InferenceRequest& request) {
    auto scan = codec::scan_request(request.api, request.body);
    if (!scan) return scan.error();
    request.scan = std::move(*scan);
    record_.model = request.scan.model;
    record_.stream = request.scan.stream;
    return std::nullopt;
}

router::RequestContext Session::request_context() const {
    router::RequestContext context;
    context.client = client_;
    context.received = request_.received;
    return context;
}

awaitable<Session::After> Session::serve_inference(const codec::RequestHead& head) {
    router::InferenceRequest request;
    ByteBudget::Lease lease;
    std::optional<Error> error = take_head(head, request);
    const bool best_effort = request.hints.priority == router::Priority::best_effort;
    asked_ = request_.received;
    if (!error && !take_body_at_hand(request.body, lease, best_effort)) {
        error = co_await read_body(request.body, lease, best_effort);
        asked_ = Clock::now();
    }
    if (!error) error = take_scan(request);
    if (error) co_return co_await refuse_early(*error);
    const router::RequestContext context = request_context();
    router::RouteInfo info;
    const bool unload = request.api == codec::Api::ollama_generate && !request.scan.has_prompt &&
                        request.scan.keep_alive_zero && request.hints.target.empty();
    auto source = unload ? shared_->router.unload(request, context, info)
                         : shared_->router.route(request, context, info);
    co_return co_await answer_with(std::move(source), info);
}

/// Refuses what did not get as far as a decision. By reference: a copy would be in the frame of who
/// awaits this, for as long as that one's stream.
awaitable<Session::After> Session::refuse_early(const Error& error) {
    note_error(error);
    if (error.code == Errc::cancelled) {
        finish_record();
        co_return After::close;
    }
    Reply reply = error_reply(request_.dialect, error);
    co_return co_await send(std::move(reply));
}

awaitable<Session::After> Session::serve_management(const codec::RequestHead& head, bool is_blob) {
    router::ForwardRequest request;
    request.backend = head.get("x-target-backend");
    request.method = request_.method;
    request.target = request_.path;
    request.fields = forwarded_fields(head);
    request.fields.append("X-Request-ID: ").append(request_.request_id).append("\r\n");
    request.authorization = request_.authorization;
    request.refresh_catalog = !is_blob;
    const auto hints = parse_hints(head);
    downstream_.consume(head.size);
    if (!hints) co_return co_await refuse_early(hints.error());
    ByteBudget::Lease lease;
    SessionUpload upload(*this);
    if (is_blob && request_.has_body()) {
        request.upload = &upload;
    } else {
        auto error = co_await read_body(request.body, lease, false);
        if (!error && !is_blob) error = codec::check_json_object(request.body, "the body");
        if (error) co_return co_await refuse_early(*error);
    }
    const router::RequestContext context = request_context();
    router::RouteInfo info;
    auto source = shared_->router.forward(request, context, info);
    co_return co_await answer_with(std::move(source), info);
}

/// Relays what `source` gives, and cancels it when the client leaves.
awaitable<Session::After> Session::answer_with(awaitable<Result<ResponseStream>> source,
                                               const router::RouteInfo& info) {
    auto relayed = relay(std::move(source), info);
    std::optional<After> after;
    try {
        after = co_await runtime::until_disconnect(downstream_.watch(), own_, std::move(relayed));
    } catch (const boost::system::system_error& error) {
        // only here it is known where the request was
        note_route(record_, info);
        if (error.code() == boost::asio::error::operation_aborted) cut_by_stop(&info);
        throw;
    }
    note_route(record_, info);
    const bool routed = request_.route->handler == Handler::inference && info.decided;
    if (routed && record_.first_byte_ms >= 0) {
        const double asked_ms = to_ms(asked_ - request_.received);
        observe_overhead(
            (record_.first_byte_ms - asked_ms - info.queue_wait_ms - info.upstream_ms) / 1000);
    }
    if (!after) {
        record_.status = 499;
        record_.error = codec::code_name(Errc::cancelled);
    }
    finish_record();
    co_return after.value_or(After::close);
}

/// Decides how an answer goes to the client. The frames of a stream may idle for minutes, so what
/// is needed only once is done in functions of its own.
awaitable<Session::After> Session::relay(awaitable<Result<ResponseStream>> source,
                                         const router::RouteInfo& info) {
    std::string unsent;
    if (comments_while_waiting()) source = with_comments(std::move(source), info, unsent);
    auto answer = co_await std::move(source);
    if (opened_) co_return co_await answer_opened(std::move(answer), std::move(unsent));
    if (!answer) co_return co_await refuse(answer.error(), info);
    if (answer->is_stream()) {
        std::string head = stream_head(*answer, info);
        const bool chunked = head.find("\r\nTransfer-Encoding: chunked\r\n") != head.npos;
        co_return co_await relay_stream(std::move(*answer), std::move(head), chunked);
    }
    std::string rest;
    bool sent = send_whole(*answer, info, rest);
    if (!rest.empty()) {
        sent = co_await downstream_.write_rest(std::move(rest), config_->server.limits.write_stall);
    }
    co_return sent ? after_reply() : After::close;
}

/// Tells the client why nobody answered.
awaitable<Session::After> Session::refuse(const Error& error, const router::RouteInfo& info) {
    record_.error = codec::code_name(error.code);  // the router has counted it
    record_.status = codec::status_of(error.code);
    if (error.code == Errc::cancelled) co_return After::close;
    const Reply reply = error_reply(request_.dialect, error);
    const std::string head =
        head_of(reply.status, reply.fields + "Content-Type: application/json\r\n", &info,
                "Content-Length: " + std::to_string(reply.body.size()) + "\r\n");
    const std::string_view body = request_.verb == kHead ? std::string_view() : reply.body;
    const std::array<std::string_view, 2> parts{head, body};
    note_first_byte();
    const bool sent = co_await downstream_.write(parts, config_->server.limits.write_stall);
    co_return sent ? after_reply() : After::close;
}

/// Sends a whole answer as far as the kernel takes it; see Downstream::write_first.
bool Session::send_whole(const ResponseStream& answer, const router::RouteInfo& info,
                         std::string& rest) {
    const std::string& body = answer.body();
    // nothing is awaited while they are in use: their memory serves every answer of this worker
    thread_local std::string framing;
    thread_local std::string head;
    framing.clear();
    head.clear();
    append_length(framing, body.size());
    if (info.decided) append_energy(framing, answer.energy());
    append_head(head, answer.status(), answer.fields(), &info, framing);
    const std::array<std::string_view, 2> parts{head, body};
    note_first_byte();
    record_.bytes_out = body.size();
    note_tokens(record_, answer.facts());
    return downstream_.write_first(parts, rest);
}

/// The head of an answer that is passed on as it comes.
std::string Session::stream_head(const ResponseStream& answer, const router::RouteInfo& info) {
    std::string framing;
    if (answer.length() && !answer.is_event_stream()) {
        framing = "Content-Length: " + std::to_string(*answer.length()) + "\r\n";
    } else if (request_.verb == kHead) {
        // nothing follows
    } else if (request_.minor_version == 0) {
        close_after_ = true;  // the end of the connection is the end of the body
    } else {
        framing = "Transfer-Encoding: chunked\r\n";
    }
    std::string fields = answer.fields();
    if (answer.is_event_stream()) {
        if (!has_field(fields, "cache-control")) fields += "Cache-Control: no-cache\r\n";
        fields += "X-Accel-Buffering: no\r\n";
    }
    return head_of(answer.status(), fields, &info, framing);
}

/// Step after step: pull from the backend, send, pull again. The head goes with the first piece.
awaitable<Session::After> Session::relay_stream(ResponseStream stream, std::string head,
                                                bool chunked) {
    const Milliseconds stall = config_->server.limits.write_stall;
    for (;;) {
        const Step step = co_await stream.next();
        if (record_.first_byte_ms < 0) note_first_byte();
        if (step.kind == Step::Kind::piece) {
            const std::size_t size = step.parts[0].size() + step.parts[1].size();
            stream_open_ = false;  // while half a chunk is on its way nothing may come between
            const ChunkHead chunk(size);
            const std::array<std::string_view, 5> parts{
                head, chunked ? chunk.view() : std::string_view(), step.parts[0], step.parts[1],
                chunked ? std::string_view("\r\n") : std::string_view()};
            std::string rest;
            bool sent = downstream_.write_first(parts, rest);
            if (!rest.empty()) sent = co_await downstream_.write_rest(std::move(rest), stall);
            if (!sent) {
                record_.error = "client_stalled";
                co_return After::close;
            }
            if (!head.empty()) std::string().swap(head);  // a stream may idle for minutes
            stream_open_ = step.boundary;
            record_.bytes_out += size;
            continue;
        }
        stream_open_ = false;
        note_tokens(record_, stream.facts());
        if (step.kind == Step::Kind::end) {
            const std::array<std::string_view, 2> parts{
                head, chunked ? std::string_view("0\r\n\r\n") : std::string_view()};
            const bool sent = co_await downstream_.write(parts, stall);
            co_return sent ? after_reply() : After::close;
        }
        record_.error = codec::code_name(step.error.code);
        if (step.announce) {
            const std::string event = codec::error_event(request_.dialect, step.error);
            const ChunkHead chunk(event.size());
            const std::array<std::string_view, 4> parts{
                head, chunked ? chunk.view() : std::string_view(), event,
                chunked ? std::string_view("\r\n") : std::string_view()};
            co_await downstream_.write(parts, stall);
            co_return After::linger;  // without the last chunk: even a blind client sees the cut
        }
        co_return After::close;
    }
}

}  // namespace ollama_proxy::http
