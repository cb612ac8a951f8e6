#pragma once

#include "ollama_proxy/runtime/throw_if_cancelled.hpp"
#include "ollama_proxy/upstream/exchange.hpp"
#include "upstream/answer_head.hpp"
#include "upstream/connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::upstream {

inline Error upstream_error(Errc code, const config::Backend& backend, std::string_view what) {
    return make_error(code, "backend '" + backend.id + "' " + std::string(what));
}

/// One request to one backend: connecting, sending (exchange_send.cpp), reading
/// (exchange_read.cpp).
struct Exchange::Impl {
    static constexpr std::size_t kHeadRead = 1536;  ///< most heads and their first piece fit

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
          deadline(runtime::Worker::current()->deadlines(), &Impl::on_deadline, this) {}

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (buffer.capacity() >= kHeadRead) drop_buffer();
    }

    static void on_deadline(void* self) {
        auto& impl = *static_cast<Impl*>(self);
        impl.timed_out = true;
        if (impl.connection) impl.connection->close();
    }
    void arm(Milliseconds limit) { arm(limit, Clock::now()); }
    void arm(Milliseconds limit, TimePoint from) {
        if (limit.count() > 0) {
            deadline.expires_at(from + limit);
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

    bool take_pooled(TimePoint now);
    boost::asio::awaitable<std::optional<OpenError>> connect();
    bool send_now(const UpstreamRequest& request, TimePoint now);
    boost::asio::awaitable<std::optional<OpenError>> send_rest(const UpstreamRequest& request);
    boost::asio::awaitable<Connection::ErrorCode> send_source(BodySource& source);
    boost::asio::awaitable<std::optional<OpenError>> read_head(std::string_view method);
    std::optional<OpenError> take_head(std::string_view method, bool& complete);
    void decode(std::string_view bytes);
    bool decode_at_hand();
    void finish();
    void drop_buffer() {
        // a frame that the end of the process destroys does so on no worker
        if (auto* worker = runtime::Worker::current()) worker->spare_buffers().give(buffer);
    }

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

}  // namespace ollama_proxy::upstream
