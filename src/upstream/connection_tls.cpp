#include "upstream/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <poll.h>
#include <system_error>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::awaitable;
using ErrorCode = Connection::ErrorCode;

struct Connection::Tls {
    Tls(tcp::socket& socket, ssl::context& context) : stream(socket, context) {}

    /// Bytes of the peer that have left the socket and that nobody has read yet.
    [[nodiscard]] bool holds_bytes() {
        SSL* const ssl = stream.native_handle();
        return SSL_pending(ssl) > 0 || SSL_has_pending(ssl) == 1 ||
               BIO_pending(SSL_get_rbio(ssl)) > 0;
    }

    ssl::stream<tcp::socket&> stream;
    // the worker's shared buffer must not be handed to an operation that is still pending
    std::array<char, 16 * 1024> buffer;
    std::string_view early;  ///< of `buffer`: read before anybody asked for it
};

void Connection::TlsDeleter::operator()(Tls* tls) const { delete tls; }

namespace {

/// What is encrypted and sent at a time, one record. The kernel calls a socket writable while a
/// third of its buffer is free, which is more than this.
constexpr std::size_t kPiece = 16 * 1024;

bool is_writable(int fd) {
    pollfd socket{fd, POLLOUT, 0};
    return ::poll(&socket, 1, 0) > 0;
}

/// Asio's TLS operations heed only terminal cancellation, a client that leaves and a probe that is
/// late come as total: makes the one of the other for the time of an operation. What it ends
/// leaves a stream that can only be dropped.
class TerminalCancellation {
  public:
    explicit TerminalCancellation(const asio::cancellation_state& state) : from_(state.slot()) {
        if (!from_.is_connected()) return;
        from_.assign([this](asio::cancellation_type type) {
            if (type != asio::cancellation_type::none) {
                signal_.emit(asio::cancellation_type::terminal);
            }
        });
    }
    ~TerminalCancellation() {
        if (from_.is_connected()) from_.clear();
    }
    TerminalCancellation(const TerminalCancellation&) = delete;
    TerminalCancellation& operator=(const TerminalCancellation&) = delete;

    auto token() {
        return asio::bind_cancellation_slot(signal_.slot(), asio::as_tuple(asio::use_awaitable));
    }

  private:
    asio::cancellation_slot from_;
    asio::cancellation_signal signal_;
};

/// Whom a thread trusts.
struct Trust {
    std::unique_ptr<ssl::context> context;
    std::filesystem::file_time_type written{};  ///< the file that it was read from
};

/// One per certificate file and thread: loading the system's certificates takes 20 ms. A file that
/// was written anew is read again; one that has become bad or has gone leaves the former trust.
/// Connections hold on to what they began with.
ssl::context* context_for(const std::string& ca_file, ErrorCode& error) {
    thread_local std::map<std::string, Trust> trusted;
    Trust& slot = trusted[ca_file];
    std::error_code unknown;
    const auto written = ca_file.empty() ? std::filesystem::file_time_type{}
                                         : std::filesystem::last_write_time(ca_file, unknown);
    if (slot.context && (unknown || written == slot.written)) return slot.context.get();
    auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
    context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                         ssl::context::no_tlsv1_1);
    context->set_verify_mode(ssl::verify_peer);
    if (ca_file.empty()) {
        context->set_default_verify_paths(error);
    } else {
        context->load_verify_file(ca_file, error);
    }
    if (error && slot.context) {
        error = {};  // and the next connection looks again: it may be half written
        return slot.context.get();
    }
    if (error) return nullptr;
    slot.context = std::move(context);
    slot.written = written;
    return slot.context.get();
}

}  // namespace

awaitable<ErrorCode> Connection::handshake(const config::Backend& backend) {
    ErrorCode error;
    ssl::context* context = context_for(backend.ca_file, error);
    if (error) co_return error;
    tls_.reset(new Tls(socket_, *context));
    const std::string& host = backend.endpoint.host;
    ErrorCode no_address;
    asio::ip::make_address(host, no_address);
    // an address is no server name (RFC 6066), and some servers refuse one that is
    if (no_address) SSL_set_tlsext_host_name(tls_->stream.native_handle(), host.c_str());
    tls_->stream.set_verify_callback(ssl::host_name_verification(host), error);
    if (error) co_return error;
    TerminalCancellation cancellation(co_await asio::this_coro::cancellation_state);
    auto token = cancellation.token();
    auto [failed] = co_await tls_->stream.async_handshake(ssl::stream_base::client, token);
    co_return failed;
}

awaitable<ErrorCode> Connection::write_tls(std::string_view head, std::string_view body,
                                           bool& peer_spoke) {
    while (!head.empty() || !body.empty()) {
        // a write that has begun cannot be left without losing the stream: wait before it
        if (!is_writable(socket_.native_handle())) {
            bool readable = false;
            const ErrorCode error = co_await wait_either(readable);
            if (error) co_return error;
            peer_spoke = readable && heard_tls();
            if (peer_spoke) co_return ErrorCode{};
            continue;
        }
        const std::string_view of_head = head.substr(0, kPiece);
        const std::string_view of_body = body.substr(0, kPiece - of_head.size());
        const std::array<asio::const_buffer, 2> parts{asio::buffer(of_head), asio::buffer(of_body)};
        TerminalCancellation cancellation(co_await asio::this_coro::cancellation_state);
        auto token = cancellation.token();
        auto [error, n] = co_await asio::async_write(tls_->stream, parts, token);
        if (error) co_return error;
        head.remove_prefix(of_head.size());
        body.remove_prefix(of_body.size());
    }
    co_return ErrorCode{};
}

awaitable<std::pair<ErrorCode, std::size_t>> Connection::read_tls(asio::mutable_buffer buffer) {
    if (std::string_view& early = tls_->early; !early.empty()) {
        const std::size_t n = early.copy(static_cast<char*>(buffer.data()), buffer.size());
        early.remove_prefix(n);
        co_return std::pair{ErrorCode{}, n};
    }
    const std::size_t room = std::min(buffer.size(), tls_->buffer.size());
    TerminalCancellation cancellation(co_await asio::this_coro::cancellation_state);
    auto token = cancellation.token();
    auto [error, n] =
        co_await tls_->stream.async_read_some(asio::buffer(tls_->buffer.data(), room), token);
    if (n > 0) std::memcpy(buffer.data(), tls_->buffer.data(), n);
    // a peer that closes without close_notify may have been cut off by somebody: an error
    if (error == asio::error::eof) error = {};
    co_return std::pair{n > 0 ? ErrorCode{} : error, n};
}

/// Takes what has come without waiting for more. Session tickets, which a peer may send at any
/// time, are swallowed on the way; true when there were bytes for us, kept for `read_tls`, or an
/// end. No operation may be pending.
bool Connection::heard_tls() {
    if (!tls_->early.empty()) return true;
    ErrorCode error;
    const std::size_t n = tls_->stream.read_some(asio::buffer(tls_->buffer), error);
    tls_->early = {tls_->buffer.data(), n};
    return error != asio::error::would_block;
}

/// Nothing but tickets has come. Half a record may become anything.
bool Connection::is_quiet_tls(bool readable) {
    if (!readable && !tls_->holds_bytes()) return true;
    return !heard_tls() && !tls_->holds_bytes();
}

}  // namespace ollama_proxy::upstream
