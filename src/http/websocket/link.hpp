#pragma once

#include "http/websocket/upgrade.hpp"
#include "ollama_proxy/access/byte_budget.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/runtime/deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ollama_proxy::http {

/// Codes of RFC 6455, 7.4.1, that this side sends itself.
enum class CloseCode : std::uint16_t {
    normal = 1000,       ///< nothing more to say
    going_away = 1001,   ///< the daemon stops
    unsupported = 1003,  ///< a binary message
    try_later = 1013,    ///< no memory for the message now
};

/// The WebSocket protocol on one connection: handshake, messages, control frames. Pings are
/// answered, and sent where the peer is silent. One reader and one writer at a time. What breaks
/// the protocol is answered with its close code (1002, 1007, 1009) before `read` says `ended`.
/// Thread: the socket's worker.
class WebSocketLink {
  public:
    struct Settings {
        std::size_t message_bytes = 1024 * 1024;  ///< longest message, decompressed
        bool deflate = false;                     ///< agree to permessage-deflate
        Milliseconds idle{75000};                 ///< silence after which the peer is gone
        Milliseconds write_stall{60000};          ///< a write that long takes nothing cuts
    };
    using OnClose = void (*)(void*);

    /// `socket` must outlive this. `on_close(argument)` is called when the peer's close frame has
    /// come: the connection itself may take some more round trips to end.
    WebSocketLink(boost::asio::ip::tcp::socket& socket, runtime::DeadlineQueue& deadlines,
                  const Settings& settings, OnClose on_close, void* argument);
    ~WebSocketLink();
    WebSocketLink(const WebSocketLink&) = delete;
    WebSocketLink& operator=(const WebSocketLink&) = delete;

    /// Answers the handshake with 101. `request_id` goes into its head. False: the peer is gone.
    [[nodiscard]] boost::asio::awaitable<bool> accept(Upgrade upgrade, std::string request_id);

    enum class Read {
        text,     ///< `message()` is a whole text message in UTF-8
        binary,   ///< one of the other kind, not to be used
        no_room,  ///< the budget has no room for a message of that size
        ended,    ///< closed or broken: nothing more comes
    };
    /// Reads one message, which takes its bytes from `budget` as they come and leaves there what
    /// stays free for others.
    [[nodiscard]] boost::asio::awaitable<Read> read(access::ByteBudget& budget,
                                                    access::ByteBudget::Lease& lease);
    /// Valid until the next `read`.
    [[nodiscard]] std::string_view message() const;

    enum class Kind {
        text,    ///< valid UTF-8, all that the daemon itself sends
        binary,  ///< any bytes
    };
    /// Begins to send one message: what the kernel takes is sent before this returns.
    /// `on_written(argument, ok)` follows from the event loop, not ok when the connection ends;
    /// until then nothing else may be written and this object must live.
    using OnWritten = void (*)(void* argument, bool ok);
    void start_write(std::string data, Kind kind, OnWritten on_written, void* argument);
    /// Sends a close frame and waits up to a second for the peer's. At most once.
    [[nodiscard]] boost::asio::awaitable<void> close(CloseCode code, std::string reason);
    /// Ends the connection without a word: whatever is awaited fails.
    void cut();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::http
