#pragma once

#include "ollama_proxy/config/backend.hpp"
#include "ollama_proxy/upstream/backend.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <memory>
#include <span>
#include <string>
#include <utility>

namespace ollama_proxy::upstream {

/// One connection to a backend, plain or TLS. Every socket has TCP_NODELAY: without it each
/// streamed piece waits 40 ms for an acknowledgement. Thread: its executor's only.
class Connection {
  public:
    using tcp = boost::asio::ip::tcp;
    using ErrorCode = boost::system::error_code;

    explicit Connection(const boost::asio::any_io_executor& executor) : socket_(executor) {}

    /// Tries the addresses in turn, then the TLS handshake where the endpoint wants one.
    /// Cancelling leaves a closed connection.
    boost::asio::awaitable<ErrorCode> connect(const config::Backend& backend,
                                              const Backend::Addresses& addresses);

    /// Sends what the kernel takes now and drops it from the fronts of both; true when that was
    /// everything. After an error, and with TLS, nothing is taken: `write` tells.
    [[nodiscard]] bool write_now(std::string_view& head, std::string_view& body);

    /// Sends everything. `peer_spoke` is set, and the rest not sent, when the peer answers or
    /// hangs up while the kernel takes no more bytes (an early refusal of a large body). Session
    /// tickets are no answer.
    boost::asio::awaitable<ErrorCode> write(std::string_view head, std::string_view body,
                                            bool& peer_spoke);

    /// Reads what is there, waiting for at least one byte; 0 bytes without error = EOF.
    /// `try_first`: something is likely there already, so ask the kernel before waiting.
    /// `buffer` may be shared by the worker: plain sockets fill it after the wait only.
    boost::asio::awaitable<std::pair<ErrorCode, std::size_t>> read(
        boost::asio::mutable_buffer buffer, bool try_first);

    /// The socket of a plain connection, for reads into a buffer that is the caller's alone (one
    /// system call fewer); nullptr under TLS.
    [[nodiscard]] tcp::socket* plain() { return tls_ ? nullptr : &socket_; }

    /// Still open, and the peer has neither closed nor sent anything unasked. One system call;
    /// more only where TLS has something to look at, for session tickets are no reason to drop it.
    [[nodiscard]] bool is_reusable();
    void close();

  private:
    boost::asio::awaitable<ErrorCode> handshake(const config::Backend& backend);
    /// Waits until the kernel takes bytes or has some, `readable` says which of the two.
    boost::asio::awaitable<ErrorCode> wait_either(bool& readable);
    boost::asio::awaitable<ErrorCode> write_tls(std::string_view head, std::string_view body,
                                                bool& peer_spoke);
    boost::asio::awaitable<std::pair<ErrorCode, std::size_t>> read_tls(
        boost::asio::mutable_buffer buffer);
    [[nodiscard]] bool is_quiet_tls(bool readable);
    [[nodiscard]] bool heard_tls();

    struct Tls;
    struct TlsDeleter {
        void operator()(Tls*) const;
    };
    tcp::socket socket_;
    std::unique_ptr<Tls, TlsDeleter> tls_;
};

}  // namespace ollama_proxy::upstream
