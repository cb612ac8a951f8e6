#include "upstream/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;
using ErrorCode = Connection::ErrorCode;
using asio::awaitable;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

ErrorCode last_error() { return {errno, boost::system::system_category()}; }

bool would_block(const ErrorCode& error) {
    return error == asio::error::would_block || error == asio::error::try_again;
}

/// Sends from the two views what the kernel takes and drops that much from their fronts.
ErrorCode send_some(int fd, std::string_view& head, std::string_view& body) {
    std::array<iovec, 2> parts{};
    std::size_t count = 0;
    for (std::string_view part : {head, body}) {
        if (part.empty()) continue;
        parts[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return last_error();
    const auto sent = static_cast<std::size_t>(n);
    const std::size_t of_head = std::min(sent, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(sent - of_head);
    return {};
}

}  // namespace

awaitable<ErrorCode> Connection::connect(const config::Backend& backend,
                                         const Backend::Addresses& addresses) {
    ErrorCode error = asio::error::host_not_found;
    for (const tcp::endpoint& address : addresses) {
        close();
        tls_.reset();
        socket_.open(address.protocol(), error);
        if (error) continue;
        socket_.set_option(tcp::no_delay(true), error);
        std::tie(error) = co_await socket_.async_connect(address, kToken);
        if (!error) break;
        if (error == asio::error::operation_aborted) co_return error;
    }
    // for our own calls and for those of the TLS stream: `heard_tls` asks it without waiting
    if (!error) socket_.non_blocking(true, error);
    if (!error && backend.endpoint.tls) error = co_await handshake(backend);
    if (error) close();
    co_return error;
}

bool Connection::write_now(std::string_view& head, std::string_view& body) {
    if (tls_) return false;
    while (!head.empty() || !body.empty()) {
        const ErrorCode error = send_some(socket_.native_handle(), head, body);
        if (error && error != asio::error::interrupted) return false;
    }
    return true;
}

awaitable<ErrorCode> Connection::write(std::string_view head, std::string_view body,
                                       bool& peer_spoke) {
    if (tls_) co_return co_await write_tls(head, body, peer_spoke);
    while (!head.empty() || !body.empty()) {
        ErrorCode error = send_some(socket_.native_handle(), head, body);
        if (!error) continue;
        if (error == asio::error::interrupted) continue;
        if (!would_block(error)) co_return error;
        error = co_await wait_either(peer_spoke);
        if (error || peer_spoke) co_return error;
    }
    co_return ErrorCode{};
}

awaitable<ErrorCode> Connection::wait_either(bool& readable) {
    auto either = asio::experimental::make_parallel_group(
        socket_.async_wait(tcp::socket::wait_write, asio::deferred),
        socket_.async_wait(tcp::socket::wait_read, asio::deferred));
    auto [order, write_error, read_error] =
        co_await either.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    const bool read_first = order[0] == 1;
    readable = read_first && !read_error;
    co_return read_first ? read_error : write_error;
}

awaitable<std::pair<ErrorCode, std::size_t>> Connection::read(asio::mutable_buffer buffer,
                                                              bool try_first) {
    if (tls_) co_return co_await read_tls(buffer);
    for (bool waited = try_first;; waited = true) {
        if (waited) {
            const ssize_t n =
                ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (n >= 0) co_return std::pair{ErrorCode{}, static_cast<std::size_t>(n)};
            const ErrorCode error = last_error();
            if (!would_block(error) && error != asio::error::interrupted) {
                co_return std::pair{error, std::size_t{0}};
            }
        }
        auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kToken);
        if (error) co_return std::pair{error, std::size_t{0}};
    }
}

bool Connection::is_reusable() {
    if (!socket_.is_open()) return false;
    char byte = 0;
    const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    const bool silent = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (!tls_) return silent;
    return (silent || n > 0) && is_quiet_tls(n > 0);
}

void Connection::close() {
    // not the TLS stream: an operation that this ends may still be on its way through it
    ErrorCode ignored;
    socket_.close(ignored);
}

}  // namespace ollama_proxy::upstream
