#include "ollama_proxy/upstream/exchange.hpp"

#include "upstream/answer_head.hpp"
#include "upstream/connection.hpp"
#include "upstream/connection_pool.hpp"
#include "upstream/request_head.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <charconv>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using runtime::Worker;
using ErrorCode = Connection::ErrorCode;

namespace {

constexpr codec::HeadLimits kHeadLimits{64 * 1024, 200, 8192};
constexpr std::size_t kHeadRead = 1536;  ///< most heads and their first piece fit
constexpr int kMaxInformational = 8;

Error upstream_error(Errc code, const config::Backend& backend, std::string_view what) {
    return make_error(code, "backend '" + backend.id + "' " + std::string(what));
}

/// Leaves as Asio's own operations do when the request was cancelled: whatever failed then failed
/// because the client left, and must not be told of the backend.
void throw_if(const asio::cancellation_state& state) {
    if (state.cancelled() == asio::cancellation_type::none) return;
    throw boost::system::system_error(asio::error::operation_aborted);
}

}  // namespace

struct Exchange::Impl {
    enum class Phase {
        connecting,  ///< no byte of the request sent
        waiting,     ///< request sent or being sent, no whole head yet
        first,       ///< head read, no body byte yet
        streaming,   ///< body bytes seen
        ended,       ///< the body is complete
        failed,      ///< cut, stalled or refused: nothing more comes
    };

    Impl(std::shared_ptr<Backend> b, ExchangeTimeouts t)
        : backend(std::move(b)),
          timeouts(t),
          deadline(Worker::current()->deadlines(), &Impl::on_deadline, this) {}

    static void on_deadline(void* self) {
        auto& impl = *static_cast<Impl*>(self);
        impl.timed_out = true;
        if (impl.connection) impl.connection->close();
    }
    void arm(Milliseconds limit) {
        if (limit.count() > 0) {
            deadline.expires_after(limit);
        } else {
            deadline.disarm();
        }
    }

    OpenError fail(OpenFailure kind, Errc code, std::string_view what) {
        phase = Phase::failed;
        deadline.disarm();
        connection.reset();
        return {kind, upstream_error(code, backend->settings(), what)};
    }

    bool take_pooled();
    awaitable<std::optional<OpenError>> connect();
    bool send_now(const UpstreamRequest& request);
    awaitable<std::optional<OpenError>> send_rest(const UpstreamRequest& request);
    awaitable<ErrorCode> send_source(BodySource& source);
    awaitable<std::optional<OpenError>> read_head(std::string_view method);
    std::optional<OpenError> take_head(std::string_view method, bool& complete);
    void decode(std::string_view bytes);
    bool decode_at_hand();
    void finish();

    std::shared_ptr<Backend> backend;
    ExchangeTimeouts timeouts;
    runtime::Deadline deadline;
    std::unique_ptr<Connection> connection;
    Phase phase = Phase::connecting;
    bool reused = false;
    bool timed_out = false;
    bool request_complete = false;
    std::optional<Error> source_error;  ///< why the client's upload broke
    bool answered = false;              ///< a byte of the answer has come
    bool keep_alive = false;
    bool broken = false;  ///< body framing violated
    int informational = 0;

    std::string unsent_head;  ///< what of the request the kernel has not taken yet
    std::string_view unsent_body;

    std::string buffer;    ///< head bytes, then what of the body came with them
    std::size_t used = 0;  ///< of `buffer`
    AnswerHead head;
    codec::Framing framing = codec::Framing::none;
    std::uint64_t left = 0;
    codec::ChunkDecoder chunks;
    std::vector<std::string_view> pieces;
};

bool Exchange::Impl::take_pooled() {
    connection = ConnectionPool::current().take(backend->serial(), Clock::now());
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
    throw_if(co_await asio::this_coro::cancellation_state);
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
bool Exchange::Impl::send_now(const UpstreamRequest& request) {
    phase = Phase::waiting;
    const std::string head_bytes = request_head(backend->settings(), request);
    std::string_view rest = head_bytes;
    unsent_body = request.body;
    arm(timeouts.head);
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

awaitable<std::optional<OpenError>> Exchange::Impl::read_head(std::string_view method) {
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
            throw_if(co_await asio::this_coro::cancellation_state);
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
    const bool leftover = framing == codec::Framing::none && used < buffer.size();
    if (connection && keep_alive && !leftover) {
        ConnectionPool::current().give_back(backend->serial(), std::move(connection), Clock::now());
    }
    connection.reset();
}

Exchange::Exchange(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&&) noexcept = default;
Exchange::~Exchange() = default;

const AnswerHead& Exchange::head() const { return impl_->head; }
std::string Exchange::take_fields() { return std::move(impl_->head.fields); }
bool Exchange::ended() const { return impl_->phase == Impl::Phase::ended; }
bool Exchange::ended_by_close() const { return impl_->framing == codec::Framing::until_close; }

awaitable<Exchange::OpenResult> Exchange::open(std::shared_ptr<Backend> backend,
                                               UpstreamRequest request, ExchangeTimeouts timeouts) {
    auto impl = std::make_unique<Impl>(std::move(backend), timeouts);
    std::optional<OpenError> failure;
    for (bool fresh : {false, true}) {
        failure.reset();
        const bool pooled = !fresh && impl->take_pooled();
        if (!pooled) failure = co_await impl->connect();
        const bool sent = !failure && impl->send_now(request);
        if (!failure && !sent) failure = co_await impl->send_rest(request);
        if (!failure) failure = co_await impl->read_head(request.method);
        if (!failure) co_return Exchange(std::move(impl));
        // an upload that was partly pulled from the client cannot be sent twice
        const bool raced = failure->kind == OpenFailure::closed_before_head && impl->reused &&
                           request.source == nullptr;
        if (!raced) break;
    }
    co_return std::move(*failure);
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
        if (!first) std::string().swap(impl.buffer);  // an idle stream owns no buffer
        char* scratch = Worker::current()->scratch();
        auto [error, n] = co_await impl.connection->read(
            asio::buffer(scratch, Worker::kScratchSize), impl.framing == codec::Framing::length);
        if (impl.timed_out || error || n == 0) {
            if (!impl.timed_out && !error && impl.framing == codec::Framing::until_close) {
                impl.keep_alive = false;
                impl.finish();
                continue;
            }
            throw_if(co_await asio::this_coro::cancellation_state);
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
