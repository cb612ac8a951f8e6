#include "http/session.hpp"

namespace ollama_proxy::http {
using access::kSpare;
using access::kSpareBestEffort;
using access::over_budget;
using boost::asio::awaitable;

namespace {

/// Memory for a body whose length was only announced.
constexpr std::size_t kFirstReserve = 256 * 1024;

}  // namespace

awaitable<bool> Session::send_continue() {
    if (!request_.expect_continue || !downstream_.unread().empty()) co_return true;
    const std::array<std::string_view, 1> parts{"HTTP/1.1 100 Continue\r\n\r\n"};
    co_return co_await downstream_.write(parts, config_->server.limits.write_stall);
}

/// Waits for more bytes of a body; the error says why none came.
awaitable<std::optional<Error>> Session::more_body() {
    const auto result = co_await downstream_.read_more(config_->server.limits.body_stall);
    if (result == Downstream::ReadResult::bytes) co_return std::nullopt;
    if (result == Downstream::ReadResult::timeout) {
        co_return make_error(Errc::request_timeout, "the body of the request came too slowly");
    }
    co_return make_error(Errc::cancelled, "the client left in the middle of its request");
}

/// The budget is charged with what has come, not with what was announced: announcing costs a
/// client nothing, and must not take the room of those who send.
awaitable<std::optional<Error>> Session::read_length(std::string& body, ByteBudget::Lease& lease,
                                                     unsigned spare) {
    const auto length = static_cast<std::size_t>(request_.content_length);
    body.reserve(std::min(length, kFirstReserve));
    while (body.size() < length) {
        const std::string_view fresh = downstream_.unread().substr(0, length - body.size());
        if (fresh.empty()) {
            auto error = co_await more_body();
            if (error) co_return error;
            continue;
        }
        if (!shared_->limits->body_budget.extend(lease, fresh.size(), spare))
            co_return over_budget();
        if (body.size() + fresh.size() > body.capacity()) body.reserve(length);
        body.append(fresh);
        downstream_.consume(fresh.size());
    }
    co_return std::nullopt;
}

awaitable<std::optional<Error>> Session::read_chunked(std::string& body, ByteBudget::Lease& lease,
                                                      unsigned spare) {
    codec::ChunkDecoder decoder;
    std::vector<std::string_view> pieces;
    for (;;) {
        const std::string_view fresh = downstream_.unread();
        if (fresh.empty()) {
            auto error = co_await more_body();
            if (error) co_return error;
            continue;
        }
        pieces.clear();
        const auto step = decoder.feed(fresh, pieces);
        for (std::string_view piece : pieces) {
            if (body.size() + piece.size() > config_->server.limits.body_bytes) {
                co_return make_error(Errc::request_too_large,
                                     "the body is larger than server.limits.body_bytes");
            }
            if (!shared_->limits->body_budget.extend(lease, piece.size(), spare))
                co_return over_budget();
            body.append(piece);
        }
        downstream_.consume(step.consumed);
        if (step.state == codec::ChunkDecoder::State::bad) {
            co_return make_error(Errc::invalid_framing, "the chunked body is malformed");
        }
        if (step.state == codec::ChunkDecoder::State::done) co_return std::nullopt;
    }
}

/// Takes a body that came whole together with its head: the usual case, without a wait.
bool Session::take_body_at_hand(std::string& body, ByteBudget::Lease& lease, bool best_effort) {
    const std::string_view unread = downstream_.unread();
    if (request_.framing != codec::Framing::length || unread.size() < request_.content_length) {
        return false;
    }
    const auto length = static_cast<std::size_t>(request_.content_length);
    const unsigned spare = best_effort ? kSpareBestEffort : kSpare;
    if (!shared_->limits->body_budget.extend(lease, length, spare)) return false;
    body.assign(unread.substr(0, length));
    downstream_.consume(length);
    body_unread_ = false;
    record_.bytes_in = length;
    return true;
}

/// Reads the whole body into memory, within the limits.
awaitable<std::optional<Error>> Session::read_body(std::string& body, ByteBudget::Lease& lease,
                                                   bool best_effort) {
    if (!request_.has_body()) co_return std::nullopt;
    const unsigned spare = best_effort ? kSpareBestEffort : kSpare;
    if (request_.framing == codec::Framing::length &&
        !shared_->limits->body_budget.has_room(request_.content_length, spare)) {
        co_return over_budget();
    }
    if (!co_await send_continue()) {
        co_return make_error(Errc::cancelled, "the client left in the middle of its request");
    }
    std::optional<Error> error;
    if (request_.framing == codec::Framing::length) {
        error = co_await read_length(body, lease, spare);
    } else {
        error = co_await read_chunked(body, lease, spare);
    }
    if (!error) body_unread_ = false;
    record_.bytes_in = body.size();
    co_return error;
}

}  // namespace ollama_proxy::http
