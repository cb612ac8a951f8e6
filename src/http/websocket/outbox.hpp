#pragma once

#include "http/websocket/link.hpp"
#include "http/websocket/wake.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace ollama_proxy::http {

/// What is to be sent to one client, in order. Requests put their pieces in and wait for room
/// before they pull the next one from their backend: so a slow client stops the reading upstream,
/// and nothing else. Thread: its worker's only.
class WebSocketOutbox {
  public:
    /// Queued bytes from which on `room()` waits.
    static constexpr std::size_t kLimit = 256 * 1024;

    explicit WebSocketOutbox(const boost::asio::any_io_executor& executor)
        : idle_(executor), drained_(executor) {}

    /// Queues a message, or sends it at once where nothing is before it; never waits. Dropped once
    /// the outbox is shut.
    void push(std::string message);
    /// Waits until there is room for more, or until nothing will be sent any more.
    /// Cancelling (total) throws operation_aborted.
    [[nodiscard]] boost::asio::awaitable<void> room();

    /// Lets what is queued go out and then closes with this code; later pushes are dropped.
    void finish(CloseCode code, std::string reason);
    /// Drops everything: the connection is gone.
    void abort();
    [[nodiscard]] bool shut() const { return goodbye_.has_value() || aborted_; }

    /// Sends until `finish` or `abort`, or until the connection breaks, and returns when nothing is
    /// on its way any more. Not to be cancelled. The link must outlive it.
    [[nodiscard]] boost::asio::awaitable<void> run(WebSocketLink& link);

  private:
    void pump();
    void written(bool ok);
    struct Goodbye {
        CloseCode code;
        std::string reason;
    };
    std::deque<std::string> messages_;
    std::size_t bytes_ = 0;
    std::optional<Goodbye> goodbye_;
    bool aborted_ = false;
    bool writing_ = false;  ///< the link has a message of `in_flight_` bytes
    std::size_t in_flight_ = 0;
    WebSocketLink* link_ = nullptr;
    Wake idle_;
    Wake drained_;
};

}  // namespace ollama_proxy::http
