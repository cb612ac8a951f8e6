// One request of a WebSocket, from the client's words to the last message of its answer.
#include "http/http_metrics.hpp"
#include "http/websocket/session.hpp"
#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/common/request_id.hpp"
#include "ollama_proxy/runtime/until_cancelled.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using asio::awaitable;
using router::DeltaStep;
using router::ResponseStream;

namespace {

/// What is collected for a client that wants no stream.
constexpr std::size_t kMaxCollected = 16 * 1024 * 1024;

bool was_cancelled(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

Error told_when_stopped(Errc reason) {
    if (reason == Errc::shutting_down) return make_error(reason, "the proxy is shutting down");
    return make_error(Errc::cancelled, "the request was cancelled");
}

}  // namespace

awaitable<void> WebSocketSession::serve(std::unique_ptr<Active> owned) {
    Active& active = *owned;
    std::exception_ptr failure;
    std::optional<bool> done;
    if (!active.stopped) {
        auto answered = answer(active);
        done = co_await runtime::until_cancelled(active.cancel, std::move(answered), failure);
    }
    active_.erase(active.message.request_id);
    const bool cancelled = failure && was_cancelled(failure);
    if (failure && !cancelled) {
        active.error = make_error(Errc::internal, "the proxy failed on this request");
    } else if (active.stopped && !done.value_or(false)) {
        active.error = told_when_stopped(*active.stopped);
    }
    finish(active);
    if (draining_ && active_.empty()) drain();
    if (failure && !cancelled) std::rethrow_exception(failure);
}

awaitable<bool> WebSocketSession::answer(Active& active) {
    auto request = router::written_request(active.message.generation);
    if (!request) {
        count_refusal(request.error().code);
        active.error = request.error();
        co_return false;
    }
    const std::string& wanted = active.message.request_id;
    const std::string id = is_valid_request_id(wanted) ? wanted : make_request_id();
    router::RequestContext context;
    context.client = client_.name;
    context.received = active.received;
    request->hints = active.message.hints;
    request->authorization = client_.authorization;
    request->fields.append("X-Request-ID: ").append(id).append("\r\n");
    auto stream = co_await shared_->router.route(*request, context, active.route);
    if (!stream) {
        active.error = stream.error();
        co_return false;
    }
    active.error = co_await relay(active, std::move(*stream));
    co_return !active.error;
}

/// Pulls the answer as fast as the client takes it.
awaitable<std::optional<Error>> WebSocketSession::relay(Active& active, ResponseStream stream) {
    for (;;) {
        const DeltaStep step = co_await stream.next_delta();
        active.summary = stream.summary();
        if (step.kind != DeltaStep::Kind::deltas) {
            if (const auto charge = stream.energy()) active.energy_j = charge->joules;
        }
        if (step.kind == DeltaStep::Kind::broken) co_return step.error;
        if (step.kind == DeltaStep::Kind::end) co_return std::nullopt;
        if (auto error = take_deltas(active, step.deltas)) co_return error;
        co_await outbox_.room();
    }
}

std::optional<Error> WebSocketSession::take_deltas(Active& active,
                                                   std::span<const codec::Delta> deltas) {
    if (active.ttft_ms < 0) {
        active.ttft_ms = to_ms(Clock::now() - active.received);
        active.writer.set_first_token(active.ttft_ms);
    }
    for (const codec::Delta& delta : deltas) {
        if (active.message.stream) {
            send(active, delta.text, delta.thinking);
            continue;
        }
        active.text += delta.text;
        active.thinking += delta.thinking;
    }
    if (active.text.size() + active.thinking.size() > kMaxCollected) {
        return make_error(Errc::bad_gateway, "the answer is longer than 16 MiB: ask for a stream");
    }
    return std::nullopt;
}

void WebSocketSession::send(Active& active, std::string_view text, std::string_view thinking) {
    std::vector<std::string> pieces;
    active.writer.append_pieces(text, thinking, pieces);
    for (std::string& piece : pieces) {
        active.bytes_out += piece.size();
        outbox_.push(std::move(piece));
    }
}

/// The last message, and what is noted of the request.
void WebSocketSession::finish(Active& active) {
    const double total_ms = to_ms(Clock::now() - active.received);
    count_websocket_request(active.error, total_ms / 1000);
    if (active.error) {
        outbox_.push(active.writer.error(*active.error));
    } else {
        send(active, active.text, active.thinking);
        outbox_.push(
            active.writer.last({active.summary, total_ms, active.route.backend, active.energy_j}));
    }
    if (!shared_->config.load()->logging.access_log) return;
    telemetry::AccessRecord record;
    record.request_id = active.message.request_id;
    record.client = client_.name;
    record.method = "WS";
    record.path = "/v1/stream/ws";
    record.model = active.message.generation.model;
    record.backend = active.route.backend;
    record.reason = active.route.reason;
    record.status = active.error ? codec::status_of(active.error->code) : 200;
    if (active.error) record.error = codec::code_name(active.error->code);
    record.duration_ms = total_ms;
    record.first_byte_ms = active.ttft_ms;
    record.queue_ms = active.route.queue_wait_ms;
    record.bytes_out = active.bytes_out;
    if (active.summary.tokens() > 0) {
        record.tokens = static_cast<std::int64_t>(active.summary.tokens());
        record.tokens_estimated = active.summary.estimated();
    }
    record.stream = active.message.stream;
    telemetry::write_access(record);
}

}  // namespace ollama_proxy::http
