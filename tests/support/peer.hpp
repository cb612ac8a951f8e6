#pragma once

#include "support/http_text.hpp"
#include "support/socket.hpp"
#include "support/wait.hpp"

#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ollama_proxy::support {

class ScriptedBackend;

/// A request as it came, byte for byte.
struct RecordedRequest {
    std::string raw;  ///< head and body with their framing
    std::string method;
    std::string target;
    HeadText head;
    std::string body;  ///< decoded
    std::size_t connection = 0;
    TimePoint at;  ///< when its last byte had come

    [[nodiscard]] std::string header(std::string_view name) const { return head.get(name); }
};

/// The other side left: ends a script quietly.
struct PeerGone : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A connection that a scripted backend accepted. Thread: the script's.
class Peer {
  public:
    Peer(ScriptedBackend& backend, Socket socket, std::size_t number);

    /// The next request, whole. Throws PeerGone when the other side leaves first, TimedOut.
    RecordedRequest read_request(Milliseconds patience = Milliseconds(60000));
    /// Sends bytes as they are; throws PeerGone when the other side is gone.
    void send(std::string_view bytes);
    /// A whole reply with Content-Length.
    void reply(int status, std::string_view body, std::string_view type = "application/json",
               std::string_view more_headers = {});
    /// The head of a chunked reply.
    void begin_chunked(std::string_view type = "text/event-stream",
                       std::string_view more_headers = {});
    void chunk(std::string_view bytes) { send(chunk_of(bytes)); }
    void end_chunked() { send(chunk_of({})); }

    void close();       ///< FIN
    void half_close();  ///< FIN, but goes on reading
    void reset();       ///< RST
    /// Waits until the other side closes; returns how long that took. What it sends meanwhile
    /// is kept. Throws TimedOut.
    Milliseconds wait_closed(Milliseconds patience = kPatience);
    /// True when nothing further came within `window`: no byte and no request.
    [[nodiscard]] bool expect_no_more(Milliseconds window);

    [[nodiscard]] std::size_t number() const { return number_; }  ///< 1 = first connection
    [[nodiscard]] bool is_open() const { return socket_.is_open(); }

  private:
    friend class ScriptedBackend;
    RecordedRequest read_any(TimePoint deadline);
    void fill(RecordedRequest& request, TimePoint deadline);
    void read_body(RecordedRequest& request, TimePoint deadline);
    void interrupt();  ///< from another thread: ends all waits

    ScriptedBackend& backend_;
    std::mutex closing_;  ///< so that `interrupt` never meets a descriptor used anew
    Socket socket_;
    std::size_t number_;
    std::string in_;
};

}  // namespace ollama_proxy::support
