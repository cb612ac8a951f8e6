#pragma once

#include "ollama_proxy/runtime/deadline.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace ollama_proxy::runtime {

/// Notices that a peer leaves while something else is going on for it: in the queue, while a
/// backend thinks, in the middle of a stream. A FIN is leaving, of close or of half-close: they
/// cannot be told apart. Bytes that come meanwhile (pipelined requests) are read ahead into
/// `buffer` up to `limit`; with the buffer full the kernel's view of the connection is asked once
/// a second instead, because a FIN hides behind unread bytes.
/// Thread: the socket's worker. The socket must be non-blocking.
class DisconnectWatch {
  public:
    using Callback = void (*)(void*);

    /// `socket` and `buffer` must outlive this object. With `deadlines` the watch begins 5 ms after
    /// it was armed: what is over before that never pays for it.
    DisconnectWatch(boost::asio::ip::tcp::socket& socket, std::string& buffer, std::size_t limit,
                    DeadlineQueue* deadlines = nullptr);
    ~DisconnectWatch();
    DisconnectWatch(const DisconnectWatch&) = delete;
    DisconnectWatch& operator=(const DisconnectWatch&) = delete;

    /// Begins to watch; `on_gone(argument)` is called at most once, from the event loop.
    void arm(Callback on_gone, void* argument);
    /// Ends it: no call comes after this, and the socket may be read again.
    void disarm();
    /// Arms it as it was armed last: for who reads the socket now and then, disarmed meanwhile.
    void arm_again();
    /// The peer has left.
    [[nodiscard]] bool gone() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
    std::optional<Deadline> begin_;
};

}  // namespace ollama_proxy::runtime
