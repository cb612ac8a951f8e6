#include "support/socket.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace ollama_proxy::support {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool wait_for(int fd, short events, TimePoint deadline) {
    pollfd entry{fd, events, 0};
    for (;;) {
        const int ready = ::poll(&entry, 1, left_until(deadline));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) fail("poll");
    }
}

void set_no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Socket make_socket() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    return Socket(fd);
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
    if (this != &other) {
        close();
        was_reset_ = other.was_reset_;
        fd_ = other.release();
    }
    return *this;
}

Socket Socket::connect(std::uint16_t port, Milliseconds patience) {
    Socket socket = make_socket();
    const sockaddr_in address = loopback(port);
    if (::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno != EINPROGRESS) fail("connect");
        if (!wait_for(socket.fd_, POLLOUT, Clock::now() + patience)) {
            throw TimedOut("connect: nobody accepts");
        }
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket.fd_, SOL_SOCKET, SO_ERROR, &error, &size);
        errno = error;
        if (error != 0) fail("connect");
    }
    set_no_delay(socket.fd_);
    return socket;
}

Socket Socket::listen(int backlog) { return ReservedPort().listen(backlog); }

std::uint16_t Socket::local_port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
    return ntohs(address.sin_port);
}

bool Socket::send(std::string_view bytes, Milliseconds patience) {
    const TimePoint deadline = Clock::now() + patience;
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(fd_, POLLOUT, deadline)) throw TimedOut("send: the peer does not read");
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

std::string Socket::receive(TimePoint deadline) {
    std::optional<std::string> bytes = try_receive(deadline);
    if (!bytes) throw TimedOut("receive: nothing came");
    return std::move(*bytes);
}

std::optional<std::string> Socket::try_receive(TimePoint deadline) {
    std::array<char, 65536> buffer;
    for (;;) {
        const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (size >= 0) return std::string(buffer.data(), static_cast<std::size_t>(size));
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(fd_, POLLIN, deadline)) return std::nullopt;
        } else if (errno != EINTR) {
            was_reset_ = errno == ECONNRESET;
            return std::string();
        }
    }
}

std::optional<Socket> Socket::accept(TimePoint deadline) {
    for (;;) {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            set_no_delay(fd);
            return Socket(fd);
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(fd_, POLLIN, deadline)) return std::nullopt;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return std::nullopt;
        }
    }
}

void Socket::half_close() { ::shutdown(fd_, SHUT_WR); }

void Socket::shut_down() { ::shutdown(fd_, SHUT_RDWR); }

void Socket::reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
}

void Socket::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

int Socket::release() { return std::exchange(fd_, -1); }

ReservedPort::ReservedPort() : socket_(make_socket()) {
    // without SO_REUSEADDR: two that both have it may be given the same port
    const sockaddr_in address = loopback(0);
    if (::bind(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("bind");
    }
}

Socket ReservedPort::listen(int backlog) && {
    if (::listen(socket_.fd(), backlog) != 0) fail("listen");
    return std::move(socket_);
}

}  // namespace ollama_proxy::support
