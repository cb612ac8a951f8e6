#pragma once

#include "support/http_text.hpp"
#include "support/socket.hpp"
#include "support/wait.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::support {

/// A piece of a body and when it came.
struct Piece {
    std::string bytes;
    TimePoint at;
};

/// A reply as it came over the wire.
struct HttpReply {
    int status = 0;
    HeadText head;
    std::string body;           ///< decoded
    std::string raw;            ///< every byte, head and framing included
    std::vector<Piece> pieces;  ///< chunks as they were framed; without chunks, reads as they came
    bool ended = false;         ///< nothing more belongs to it
    bool clean_end =
        false;  ///< last chunk seen, or length complete; a close where neither is given

    [[nodiscard]] std::string header(std::string_view name) const { return head.get(name); }
    [[nodiscard]] bool has_header(std::string_view name) const { return head.count(name) > 0; }
};

/// An HTTP client that sends any bytes and shows what came back. Blocking; every wait has a
/// deadline and throws TimedOut. One thread.
class RawClient {
  public:
    explicit RawClient(std::uint16_t port, Milliseconds patience = kPatience);

    /// False when the peer is gone.
    bool send(std::string_view bytes);
    /// "METHOD path" with Host, the given headers and, when there is a body, its Content-Length.
    bool send_request(std::string_view method, std::string_view path, std::string_view body = {},
                      const Headers& headers = {});

    HttpReply get(std::string_view path, const Headers& headers = {});
    HttpReply post(std::string_view path, std::string_view body, const Headers& headers = {});
    HttpReply request(std::string_view method, std::string_view path, std::string_view body = {},
                      const Headers& headers = {});

    /// The next final reply (1xx skipped), whole or as far as it came. `method` is the request's.
    /// A connection that ends before the head gives status 0.
    HttpReply read_reply(std::string_view method = "GET");
    /// The next reply's head alone; go on with read_piece.
    HttpReply begin_reply(std::string_view method = "GET");
    /// Waits for one more piece; false when the reply has ended.
    bool read_piece(HttpReply& reply);
    /// Reads pieces until the body holds `text`; false when the reply ends before.
    bool read_until(HttpReply& reply, std::string_view text);

    /// Raw bytes up to and including `marker`, or all there was when the connection ended.
    std::string read_raw_until(std::string_view marker);
    /// All bytes until the connection ends.
    std::string read_to_end();
    /// Waits until the peer closes; what it sends before is dropped.
    void wait_closed();
    /// True when within `window` neither bytes nor an end came.
    [[nodiscard]] bool stays_silent(Milliseconds window);

    void half_close() { socket_.half_close(); }
    void reset() { socket_.reset(); }
    void close() { socket_.close(); }
    [[nodiscard]] bool was_reset() const { return socket_.was_reset(); }
    [[nodiscard]] Socket& socket() { return socket_; }

  private:
    bool fill(std::string* raw);
    void add(HttpReply& reply, std::string bytes) const;
    bool read_plain(HttpReply& reply);

    std::uint16_t port_;
    Milliseconds patience_;
    Socket socket_;
    std::string in_;
    bool no_body_ = false;
};

/// One request on a connection of its own.
[[nodiscard]] HttpReply http_get(std::uint16_t port, std::string_view path,
                                 const Headers& headers = {});
[[nodiscard]] HttpReply http_post(std::uint16_t port, std::string_view path, std::string_view body,
                                  const Headers& headers = {});

}  // namespace ollama_proxy::support
