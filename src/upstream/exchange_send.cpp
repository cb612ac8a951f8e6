// A connection, pooled or fresh, and the request on it.
#include "upstream/connection_pool.hpp"
#include "upstream/exchange_impl.hpp"
#include "upstream/request_head.hpp"

#include <boost/asio/this_coro.hpp>

#include <charconv>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
using asio::awaitable;
using ErrorCode = Connection::ErrorCode;

bool Exchange::Impl::take_pooled(TimePoint now) {
    connection = ConnectionPool::current().take(*backend, now);
    reused = connection != nullptr;
    return reused;
}

awaitable<std::optional<OpenError>> Exchange::Impl::connect() {
    phase = Phase::connecting;
    reused = false;
    auto addresses = backend->addresses();
    if (addresses->empty()) {
        co_return fail(OpenFailure::refused, Errc::upstream_refused,
                       "has no address yet: its host name does not resolve");
    }
    connection = std::make_unique<Connection>(co_await asio::this_coro::executor);
    arm(timeouts.connect);
    const ErrorCode error = co_await connection->connect(backend->settings(), *addresses);
    if (!error) co_return std::nullopt;
    runtime::throw_if_cancelled(co_await asio::this_coro::cancellation_state);
    if (timed_out) {
        co_return fail(OpenFailure::connect_timeout, Errc::upstream_timeout,
                       "did not accept a connection in time");
    }
    co_return fail(OpenFailure::refused, Errc::upstream_refused,
                   "cannot be reached: " + error.message());
}

awaitable<ErrorCode> Exchange::Impl::send_source(BodySource& source) {
    const bool chunked = !source.length();
    bool peer_spoke = false;
    for (;;) {
        arm(timeouts.stall);
        auto piece = co_await source.next();
        if (!piece) {
            source_error = piece.error();
            co_return asio::error::operation_aborted;
        }
        const std::string_view bytes = *piece;
        std::string frame;
        if (chunked) {
            char size[20];
            auto [end, ec] = std::to_chars(size, size + sizeof size, bytes.size(), 16);
            frame.assign(size, end).append("\r\n");
            if (bytes.empty()) frame.append("\r\n");
        }
        ErrorCode error = co_await connection->write(frame, bytes, peer_spoke);
        if (error || peer_spoke) co_return error;
        if (bytes.empty()) break;
        if (chunked) {
            error = co_await connection->write("\r\n", {}, peer_spoke);
            if (error || peer_spoke) co_return error;
        }
    }
    request_complete = true;
    co_return ErrorCode{};
}

/// Sends what the kernel takes; true when nothing is left that would have to be awaited.
bool Exchange::Impl::send_now(const UpstreamRequest& request, TimePoint now) {
    phase = Phase::waiting;
    thread_local std::string head_bytes;  // its memory serves every request of this worker
    head_bytes.clear();
    append_request_head(head_bytes, backend->settings(), request);
    std::string_view rest = head_bytes;
    unsent_body = request.body;
    arm(timeouts.head, now);
    const bool taken = connection->write_now(rest, unsent_body);
    unsent_head = rest;
    request_complete = taken && request.source == nullptr;
    return request_complete;
}

awaitable<std::optional<OpenError>> Exchange::Impl::send_rest(const UpstreamRequest& request) {
    bool peer_spoke = false;
    ErrorCode error = co_await connection->write(unsent_head, unsent_body, peer_spoke);
    if (!error && !peer_spoke) {
        if (request.source) {
            error = co_await send_source(*request.source);
            if (source_error) {
                OpenError failure = fail(OpenFailure::source_failed, Errc::cancelled, {});
                failure.error = *source_error;  // the client's fault, in the words for the client
                co_return failure;
            }
        } else {
            request_complete = true;
        }
    }
    arm(timeouts.head);
    // An error while writing often means that an answer is already there (413, 401): read it.
    // Where there is none, reading gives the EOF or reset that says so.
    co_return std::nullopt;
}

}  // namespace ollama_proxy::upstream
