#include "support/ws_client.hpp"

#include <stdexcept>

namespace ollama_proxy::support {
namespace {

/// The example of RFC 6455, 1.3, and what must be answered to it.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

void append_number(std::string& out, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

std::uint64_t number(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

}  // namespace

int WsFrame::close_code() const {
    return payload.size() < 2 ? 0
                              : static_cast<int>(number(std::string_view(payload).substr(0, 2)));
}

std::string ws_frame(int opcode, std::string_view payload, int first_bits, bool masked) {
    std::string out(1, static_cast<char>(first_bits << 4 | opcode));
    const int mask_bit = masked ? 0x80 : 0;
    if (payload.size() < 126) {
        out += static_cast<char>(mask_bit | static_cast<int>(payload.size()));
    } else if (payload.size() < 65536) {
        out += static_cast<char>(mask_bit | 126);
        append_number(out, payload.size(), 2);
    } else {
        out += static_cast<char>(mask_bit | 127);
        append_number(out, payload.size(), 8);
    }
    if (!masked) return out.append(payload);
    constexpr std::string_view kMask = "\x37\xfa\x21\x3d";
    out += kMask;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out += static_cast<char>(payload[i] ^ kMask[i % 4]);
    }
    return out;
}

std::string ws_handshake(const WsClient::Headers& headers, std::string_view drop,
                         std::string_view path) {
    std::string out = "GET " + std::string(path) + " HTTP/1.1\r\n";
    const auto add = [&](std::string_view name, std::string_view value) {
        out.append(name).append(": ").append(value).append("\r\n");
    };
    const std::pair<std::string_view, std::string_view> standard[] = {
        {"Host", "localhost"},
        {"Upgrade", "websocket"},
        {"Connection", "keep-alive, Upgrade"},
        {"Sec-WebSocket-Key", kKey},
        {"Sec-WebSocket-Version", "13"},
    };
    for (const auto& [name, value] : standard) {
        if (name != drop) add(name, value);
    }
    for (const auto& [name, value] : headers) add(name, value);
    return out + "\r\n";
}

WsClient::WsClient(std::uint16_t port, const Headers& headers, std::string_view path)
    : socket_(Socket::connect(port)) {
    socket_.send(ws_handshake(headers, {}, path));
    const TimePoint deadline = Clock::now() + kPatience;
    std::size_t end = in_.npos;
    while ((end = in_.find("\r\n\r\n")) == in_.npos) {
        if (!fill(deadline)) break;
    }
    head_ = in_.substr(0, end == in_.npos ? end : end + 4);
    in_.erase(0, head_.size());
    if (!head_.starts_with("HTTP/1.1 101 ") || head_.find(kAccept) == head_.npos) {
        throw std::runtime_error("no WebSocket: " + head_ + in_);
    }
}

bool WsClient::send_frame(int opcode, std::string_view payload, int first_bits) {
    return socket_.send(ws_frame(opcode, payload, first_bits));
}

bool WsClient::send_close(int code) {
    std::string payload;
    append_number(payload, static_cast<std::uint64_t>(code), 2);
    return send_frame(kWsClose, payload);
}

bool WsClient::fill(TimePoint deadline) {
    const std::string bytes = socket_.receive(deadline);
    in_ += bytes;
    return !bytes.empty();
}

std::optional<WsFrame> WsClient::read_frame(Milliseconds patience) {
    const TimePoint deadline = Clock::now() + patience;
    const auto need = [&](std::size_t bytes) {
        while (in_.size() < bytes) {
            if (!fill(deadline)) return false;
        }
        return true;
    };
    if (!need(2)) return std::nullopt;
    WsFrame frame;
    const int first = static_cast<unsigned char>(in_[0]);
    const int second = static_cast<unsigned char>(in_[1]);
    frame.fin = (first & 0x80) != 0;
    frame.reserved = first >> 4 & 7;
    frame.opcode = first & 15;
    frame.masked = (second & 0x80) != 0;
    const std::size_t extra = (second & 127) == 126 ? 2 : (second & 127) == 127 ? 8 : 0;
    if (!need(2 + extra)) return std::nullopt;
    const std::size_t size = extra == 0 ? static_cast<std::size_t>(second & 127)
                                        : number(std::string_view(in_).substr(2, extra));
    if (!need(2 + extra + size)) return std::nullopt;
    frame.payload = in_.substr(2 + extra, size);
    in_.erase(0, 2 + extra + size);
    return frame;
}

nlohmann::json WsClient::read_json(Milliseconds patience) {
    for (;;) {
        const auto frame = read_frame(patience);
        if (!frame) throw std::runtime_error("the connection ended");
        if (frame->opcode == kWsPing) continue;
        if (frame->opcode != kWsText || !frame->fin || frame->masked || frame->reserved != 0) {
            throw std::runtime_error("no whole text message: opcode " +
                                     std::to_string(frame->opcode) + ", code " +
                                     std::to_string(frame->close_code()));
        }
        return nlohmann::json::parse(frame->payload);
    }
}

std::vector<nlohmann::json> WsClient::read_answer(std::string_view id) {
    std::vector<nlohmann::json> out;
    for (;;) {
        nlohmann::json message = read_json();
        const bool mine =
            id.empty() || (message["request_id"].is_string() && message["request_id"] == id);
        const bool done = message.at("done").get<bool>();
        if (mine) out.push_back(std::move(message));
        if (mine && done) return out;
    }
}

int WsClient::read_close() {
    for (;;) {
        const auto frame = read_frame();
        if (!frame) return 0;
        if (frame->opcode == kWsClose) return frame->close_code();
    }
}

bool WsClient::stays_silent(Milliseconds window) {
    if (!in_.empty()) return false;
    const auto bytes = socket_.try_receive(Clock::now() + window);
    if (bytes) in_ += *bytes;
    return !bytes;
}

std::string joined_tokens(const std::vector<nlohmann::json>& messages) {
    std::string out;
    for (const auto& message : messages) out += message.value("token", std::string());
    return out;
}

}  // namespace ollama_proxy::support
