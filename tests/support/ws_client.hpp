#pragma once

#include "support/socket.hpp"
#include "support/wait.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ollama_proxy::support {

/// One frame of RFC 6455 as it came.
struct WsFrame {
    bool fin = true;
    int reserved = 0;  ///< the three RSV bits
    int opcode = 0;
    bool masked = false;
    std::string payload;

    /// Of a close frame; 0 when it carries none.
    [[nodiscard]] int close_code() const;
};

inline constexpr int kWsContinuation = 0;
inline constexpr int kWsText = 1;
inline constexpr int kWsBinary = 2;
inline constexpr int kWsClose = 8;
inline constexpr int kWsPing = 9;
inline constexpr int kWsPong = 10;

/// A WebSocket client that sends any frames, valid or not, and shows what comes back. Answers
/// nothing by itself. Blocking; every wait has a deadline and throws TimedOut. One thread.
class WsClient {
  public:
    using Headers = std::vector<std::pair<std::string, std::string>>;

    /// Connects and shakes hands; throws std::runtime_error with the answer when it is not 101.
    explicit WsClient(std::uint16_t port, const Headers& headers = {},
                      std::string_view path = "/v1/stream/ws");

    /// The head of the answer.
    [[nodiscard]] const std::string& head() const { return head_; }

    bool send_text(std::string_view text) { return send_frame(kWsText, text); }
    bool send(const nlohmann::json& message) { return send_text(message.dump()); }
    /// A masked frame, whatever its opcode; `first_bits` are FIN and RSV.
    bool send_frame(int opcode, std::string_view payload, int first_bits = 8);
    bool send_close(int code);
    /// Bytes as they are.
    bool send_raw(std::string_view bytes) { return socket_.send(bytes); }

    /// The next frame; nothing at the end of the connection.
    std::optional<WsFrame> read_frame(Milliseconds patience = kPatience);
    /// The next text message as JSON; throws std::runtime_error when something else comes. Pings
    /// are skipped.
    nlohmann::json read_json(Milliseconds patience = kPatience);
    /// Messages up to one of `id` (any id if empty) that is done, that one included.
    std::vector<nlohmann::json> read_answer(std::string_view id = {});
    /// Drops what comes until a close frame or the end; its code, 0 for an end without one.
    int read_close();
    /// True when within `window` neither bytes nor an end came.
    bool stays_silent(Milliseconds window);

    void close() { socket_.close(); }
    void reset() { socket_.reset(); }
    [[nodiscard]] Socket& socket() { return socket_; }

  private:
    bool fill(TimePoint deadline);

    Socket socket_;
    std::string in_;
    std::string head_;
};

/// The texts of pieces, in order.
[[nodiscard]] std::string joined_tokens(const std::vector<nlohmann::json>& messages);

/// The frame that a client sends, masked.
[[nodiscard]] std::string ws_frame(int opcode, std::string_view payload, int first_bits = 8,
                                   bool masked = true);

/// A handshake as WsClient sends it; `drop` is left out and `headers` are added.
[[nodiscard]] std::string ws_handshake(const WsClient::Headers& headers = {},
                                       std::string_view drop = {},
                                       std::string_view path = "/v1/stream/ws");

}  // namespace ollama_proxy::support
