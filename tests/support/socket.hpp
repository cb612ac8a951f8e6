#pragma once

#include "support/wait.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::support {

/// An owned TCP socket on 127.0.0.1 with blocking calls that all have a deadline.
class Socket {
  public:
    Socket() = default;
    explicit Socket(int fd) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(other.release()) {}
    Socket& operator=(Socket&& other) noexcept;
    ~Socket() { close(); }

    /// Connects; throws std::system_error when refused, TimedOut when nobody accepts.
    static Socket connect(std::uint16_t port, Milliseconds patience = kPatience);
    /// Listens on 127.0.0.1, on any free port.
    static Socket listen(int backlog);

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    [[nodiscard]] std::uint16_t local_port() const;

    /// Sends all; false when the peer is gone; throws TimedOut when it stops reading.
    bool send(std::string_view bytes, Milliseconds patience = kPatience);
    /// What comes next: bytes, or an empty string at the end (FIN or RST). Throws TimedOut.
    std::string receive(TimePoint deadline);
    /// Like receive, but nothing when the deadline passes.
    std::optional<std::string> try_receive(TimePoint deadline);
    /// Waits for the next connection; nothing when the deadline passes or it was shut down.
    std::optional<Socket> accept(TimePoint deadline);

    void half_close();  ///< FIN, reading goes on
    void shut_down();   ///< both directions; wakes whoever waits on it
    void reset();       ///< closes with RST
    void close();
    int release();

    /// The peer ended with RST rather than FIN (known after receive() said "end").
    [[nodiscard]] bool was_reset() const { return was_reset_; }

  private:
    int fd_ = -1;
    bool was_reset_ = false;
};

/// A port of 127.0.0.1 that refuses connections, and that nobody else is given as long as it lives.
class ReservedPort {
  public:
    ReservedPort();

    [[nodiscard]] std::uint16_t number() const { return socket_.local_port(); }
    /// From now on it takes connections.
    [[nodiscard]] Socket listen(int backlog) &&;

  private:
    Socket socket_;  ///< bound, which alone keeps others away
};

}  // namespace ollama_proxy::support
