#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/runtime/deadline.hpp"
#include "ollama_proxy/runtime/disconnect_watch.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace ollama_proxy::http {

/// The client's connection: unread bytes, bounded waits, and writes that go to the kernel at once.
/// Thread: its worker's only.
class Downstream {
  public:
    using tcp = boost::asio::ip::tcp;
    using ErrorCode = boost::system::error_code;

    enum class ReadResult {
        bytes,    ///< `buffer()` has grown
        closed,   ///< EOF or reset
        timeout,  ///< nothing came in time
    };

    /// Bytes read ahead of a request that is being answered are bounded by `read_ahead`.
    Downstream(tcp::socket socket, runtime::Worker& worker, std::size_t read_ahead);
    Downstream(const Downstream&) = delete;
    Downstream& operator=(const Downstream&) = delete;

    /// Bytes that came and are not used yet.
    [[nodiscard]] std::string_view unread() const {
        return std::string_view(buffer_).substr(used_);
    }
    void consume(std::size_t n);
    /// Bytes are waiting in the kernel.
    [[nodiscard]] bool has_arrivals() const;

    /// Waits at most `limit` for more bytes. Cancelling leaves the connection as it is.
    [[nodiscard]] boost::asio::awaitable<ReadResult> read_more(Milliseconds limit);

    /// Sends all parts in order; one system call where the kernel takes them. False: the client is
    /// gone, or took nothing for `stall`. The parts may be the worker's scratch memory.
    [[nodiscard]] boost::asio::awaitable<bool> write(std::span<const std::string_view> parts,
                                                     Milliseconds stall);
    /// The first half of `write`: what the kernel takes now. `rest` is what it did not take,
    /// copied; with an empty rest nothing need be awaited. False: the client is gone.
    [[nodiscard]] bool write_first(std::span<const std::string_view> parts, std::string& rest);
    /// The second half: waits until `rest` is gone too.
    [[nodiscard]] boost::asio::awaitable<bool> write_rest(std::string rest, Milliseconds stall);
    /// Sends what the kernel takes now, without waiting. False unless that was everything.
    bool write_now(std::string_view bytes);

    /// Ends the connection so that what was sent still arrives: closes our direction, reads away
    /// up to 64 KiB for at most `patience`, then closes.
    [[nodiscard]] boost::asio::awaitable<void> linger(Milliseconds patience);
    void close();

    /// For a session of another protocol; what is unread here is not in it any more.
    [[nodiscard]] tcp::socket& socket() { return socket_; }
    [[nodiscard]] runtime::DisconnectWatch& watch() { return watch_; }
    [[nodiscard]] std::string peer_address() const;
    [[nodiscard]] std::string local_address() const;

  private:
    tcp::socket socket_;
    runtime::SpareBuffers& spares_;
    std::string buffer_;
    std::size_t used_ = 0;
    bool timed_out_ = false;
    runtime::Deadline deadline_;
    runtime::DisconnectWatch watch_;
};

}  // namespace ollama_proxy::http
