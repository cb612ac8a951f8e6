// The answer: its head, and its body piece by piece.
#include "upstream/connection_pool.hpp"
#include "upstream/exchange_impl.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <tuple>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using runtime::Worker;
using ErrorCode = Connection::ErrorCode;

namespace {

constexpr codec::HeadLimits kHeadLimits{64 * 1024, 200, 8192};
constexpr int kMaxInformational = 8;

}  // namespace

awaitable<std::optional<OpenError>> Exchange::Impl::read_head(std::string_view method) {
    if (buffer.capacity() < kHeadRead) buffer = Worker::current()->spare_buffers().take();
    buffer.clear();
    used = 0;
    bool complete = false;
    while (!complete) {
        const std::size_t before = buffer.size();
        buffer.resize(before + kHeadRead);
        const asio::mutable_buffer room(buffer.data() + before, kHeadRead);
        ErrorCode error;
        std::size_t n = 0;
        if (tcp::socket* socket = connection->plain()) {
            std::tie(error, n) =
                co_await socket->async_read_some(room, asio::as_tuple(asio::use_awaitable));
            if (error == asio::error::eof) error = {};
        } else {
            std::tie(error, n) = co_await connection->read(room, true);
        }
        buffer.resize(before + n);
        if (timed_out) {
            co_return fail(OpenFailure::head_timeout, Errc::upstream_timeout,
                           "sent no answer in time");
        }
        if (error || n == 0) {
            runtime::throw_if_cancelled(co_await asio::this_coro::cancellation_state);
            if (!answered) {
                co_return fail(OpenFailure::closed_before_head, Errc::bad_gateway,
                               "closed the connection without an answer");
            }
            co_return fail(OpenFailure::bad_head, Errc::bad_gateway,
                           "closed the connection in the middle of its header");
        }
        answered = true;
        auto failure = take_head(method, complete);
        if (failure) co_return failure;
    }
    co_return std::nullopt;
}

std::optional<OpenError> Exchange::Impl::take_head(std::string_view method, bool& complete) {
    thread_local codec::ResponseHead parsed;
    for (;;) {
        const std::string_view unread = std::string_view(buffer).substr(used);
        const auto outcome = codec::parse_response_head(unread, kHeadLimits, method, parsed);
        if (outcome.state == codec::HeadState::need_more) return std::nullopt;
        if (outcome.state == codec::HeadState::refused) {
            return fail(OpenFailure::bad_head, Errc::bad_gateway,
                        std::string("answered with something that is no HTTP: ") + outcome.why);
        }
        used += parsed.size;
        if (parsed.status >= 200) break;
        if (parsed.status == 101 || ++informational > kMaxInformational) {
            return fail(OpenFailure::bad_head, Errc::bad_gateway,
                        parsed.status == 101 ? "switched protocols though nobody asked"
                                             : "sent too many interim answers");
        }
    }
    head = reduce_head(parsed);
    framing = parsed.framing;
    left = parsed.content_length;
    keep_alive = parsed.keep_alive && request_complete;
    phase = Phase::first;
    complete = true;
    if (framing == codec::Framing::none || (framing == codec::Framing::length && left == 0)) {
        finish();
    }
    return std::nullopt;
}

void Exchange::Impl::decode(std::string_view bytes) {
    pieces.clear();
    switch (framing) {
        case codec::Framing::none:
            break;
        case codec::Framing::until_close:
            pieces.push_back(bytes);
            break;
        case codec::Framing::length: {
            const auto mine = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()));
            pieces.push_back(bytes.substr(0, mine));
            left -= mine;
            if (bytes.size() > mine) keep_alive = false;  // bytes after the answer
            if (left == 0) finish();
            break;
        }
        case codec::Framing::chunked: {
            const auto step = chunks.feed(bytes, pieces);
            if (step.state == codec::ChunkDecoder::State::bad) broken = true;
            if (step.state == codec::ChunkDecoder::State::done) {
                if (step.consumed < bytes.size()) keep_alive = false;
                finish();
            }
            break;
        }
    }
}

void Exchange::Impl::finish() {
    phase = Phase::ended;
    deadline.disarm();
    const bool leftover = used < buffer.size();
    if (connection && keep_alive && !leftover) {
        ConnectionPool::current().give_back(backend, std::move(connection), Clock::now());
    }
    connection.reset();
}

/// Decodes what of the body came with the head. True when that gave pieces.
bool Exchange::Impl::decode_at_hand() {
    pieces.clear();
    if (used >= buffer.size() || broken || phase == Phase::ended) return false;
    const std::string_view bytes = std::string_view(buffer).substr(used);
    used = buffer.size();
    decode(bytes);
    if (pieces.empty()) return false;
    if (phase != Phase::ended) {
        phase = Phase::streaming;
        if (timeouts.stall.count() > 0) deadline.disarm();
    }
    return true;
}

std::optional<std::span<const std::string_view>> Exchange::at_hand() {
    if (impl_->decode_at_hand()) return std::span<const std::string_view>(impl_->pieces);
    if (ended()) return std::span<const std::string_view>{};
    return std::nullopt;
}

awaitable<Result<std::span<const std::string_view>>> Exchange::next() {
    Impl& impl = *impl_;
    if (impl.decode_at_hand()) co_return std::span<const std::string_view>(impl.pieces);
    impl.pieces.clear();
    // the silence of a backend is measured while somebody waits for it, not while a slow client
    // takes what came before
    const bool stalls = impl.timeouts.stall.count() > 0;
    if (stalls && impl.phase == Impl::Phase::streaming) impl.arm(impl.timeouts.stall);
    for (;;) {
        if (impl.phase == Impl::Phase::ended) co_return std::span<const std::string_view>{};
        if (impl.broken) {
            co_return impl
                .fail(OpenFailure::bad_head, Errc::bad_gateway,
                      "sent a body whose framing is broken")
                .error;
        }
        const bool first = impl.phase == Impl::Phase::first;
        if (!first && impl.buffer.capacity() >= Impl::kHeadRead) impl.drop_buffer();  // it idles
        char* scratch = Worker::current()->scratch();
        auto [error, n] = co_await impl.connection->read(
            asio::buffer(scratch, Worker::kScratchSize), impl.framing == codec::Framing::length);
        if (impl.timed_out || error || n == 0) {
            if (!impl.timed_out && !error && impl.framing == codec::Framing::until_close) {
                impl.keep_alive = false;
                impl.finish();
                continue;
            }
            runtime::throw_if_cancelled(co_await asio::this_coro::cancellation_state);
            const auto& settings = impl.backend->settings();
            if (!impl.timed_out) {
                co_return impl
                    .fail(OpenFailure::bad_head, Errc::bad_gateway,
                          "closed the connection in the middle of its answer")
                    .error;
            }
            impl.fail(OpenFailure::head_timeout, Errc::upstream_stalled, {});
            co_return first ? upstream_error(Errc::upstream_timeout, settings,
                                             "sent no part of its answer in time")
                            : upstream_error(Errc::upstream_stalled, settings,
                                             "stopped in the middle of its answer");
        }
        impl.decode({scratch, n});
        if (impl.pieces.empty()) continue;
        if (impl.phase != Impl::Phase::ended) {
            impl.phase = Impl::Phase::streaming;
            if (stalls) impl.deadline.disarm();
        }
        co_return std::span<const std::string_view>(impl.pieces);
    }
}

}  // namespace ollama_proxy::upstream
