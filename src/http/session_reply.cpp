#include "http/chunk_head.hpp"
#include "http/http_metrics.hpp"
#include "http/session.hpp"

#include <array>

namespace ollama_proxy::http {
using boost::asio::awaitable;

/// A whole head. `framing` is the line that says how the body is delimited.
void Session::append_head(std::string& out, int status, std::string_view fields,
                          const router::RouteInfo* info, std::string_view framing) {
    out.append(request_.minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
    out.append(std::to_string(status)).append(" ").append(reason_phrase(status)).append("\r\n");
    if (!has_field(fields, "date")) append_date(out);
    out.append(fields);
    append_common(out, common_);
    if (info) append_routing(out, *info);
    // with these a length or a last chunk would be taken for the next answer
    if (status != 204 && status != 304) out.append(framing);
    // what of the body is unread would be taken for the next request
    close_after_ = close_after_ || !request_.keep_alive || body_unread_ ||
                   shared_->draining.load(std::memory_order_relaxed);
    if (close_after_) {
        out.append("Connection: close\r\n");
    } else if (request_.minor_version == 0) {
        out.append("Connection: keep-alive\r\n");
    }
    out.append("\r\n");
    record_.status = status;
}

std::string Session::head_of(int status, std::string_view fields, const router::RouteInfo* info,
                             std::string_view framing) {
    std::string out;
    out.reserve(768);
    append_head(out, status, fields, info, framing);
    return out;
}

Session::After Session::after_reply() const {
    if (body_unread_) return After::linger;
    return close_after_ ? After::linger : After::keep;
}

awaitable<Session::After> Session::send(Reply reply, const router::RouteInfo* info) {
    std::string fields = reply.fields;
    if (!reply.content_type.empty()) {
        fields += "Content-Type: " + reply.content_type + "\r\n";
    }
    const std::string framing = "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    const std::string head = head_of(reply.status, fields, info, framing);
    const std::string_view body = request_.verb == kHead ? std::string_view() : reply.body;
    const std::array<std::string_view, 2> parts{head, body};
    note_first_byte();
    record_.bytes_out = body.size();
    const bool sent = co_await downstream_.write(parts, config_->server.limits.write_stall);
    finish_record();
    co_return sent ? after_reply() : After::close;
}

void Session::note_error(const Error& error) {
    record_.error = codec::code_name(error.code);
    record_.status = codec::status_of(error.code);
    count_refusal(error.code);
}

/// The head of the answer goes out now.
void Session::note_first_byte() { record_.first_byte_ms = to_ms(Clock::now() - request_.received); }

void Session::finish_record() {
    in_hand_ = false;
    record_.duration_ms = to_ms(Clock::now() - request_.received);
    count_request(request_.route, record_.status, record_.duration_ms / 1000);
    if (!config_->logging.access_log) return;
    record_.request_id = request_.request_id;
    record_.client = client_.empty() ? std::string_view(peer_address_) : client_;
    record_.method = request_.method;
    record_.path = request_.path;
    telemetry::write_access(record_);
}

/// The daemon's end cuts the request in hand, if there is one: tells the client as far as that is
/// possible without waiting, and finishes the record.
void Session::cut_by_stop(const router::RouteInfo* info) {
    if (!in_hand_) return;
    Error error = make_error(Errc::shutting_down, "the proxy is shutting down");
    error.retry_after_s = 1;
    if (record_.first_byte_ms < 0 && !opened_) {
        note_error(error);
        const Reply reply = error_reply(request_.dialect, error);
        std::string framing;
        append_length(framing, reply.body.size());
        std::string answer = head_of(
            reply.status, reply.fields + "Content-Type: application/json\r\n", info, framing);
        if (request_.verb != kHead) answer += reply.body;
        note_first_byte();
        record_.bytes_out = reply.body.size();
        last_words_ = downstream_.write_now(answer);
    } else {
        record_.error = codec::code_name(error.code);
        if (stream_open_) {
            const std::string event = codec::error_event(request_.dialect, error);
            const ChunkHead chunk(event.size());
            downstream_.write_now(request_.minor_version == 0
                                      ? event
                                      : std::string(chunk.view()).append(event).append("\r\n"));
        }
    }
    finish_record();
}

}  // namespace ollama_proxy::http
