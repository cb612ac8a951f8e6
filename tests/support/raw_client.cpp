#include "support/raw_client.hpp"

#include <algorithm>
#include <cstdlib>

namespace ollama_proxy::support {

RawClient::RawClient(std::uint16_t port, Milliseconds patience)
    : port_(port), patience_(patience), socket_(Socket::connect(port, patience)) {}

bool RawClient::send(std::string_view bytes) { return socket_.send(bytes, patience_); }

bool RawClient::send_request(std::string_view method, std::string_view path, std::string_view body,
                             const Headers& headers) {
    std::string out(method);
    out.append(" ").append(path).append(" HTTP/1.1\r\n");
    const auto given = [&](std::string_view name) {
        return std::any_of(headers.begin(), headers.end(),
                           [&](const auto& field) { return same_name(field.first, name); });
    };
    if (!given("Host")) out.append("Host: 127.0.0.1:").append(std::to_string(port_)).append("\r\n");
    for (const auto& [name, value] : headers)
        out.append(name).append(": ").append(value).append("\r\n");
    const bool framed = given("Content-Length") || given("Transfer-Encoding");
    if (!framed && (!body.empty() || method == "POST")) {
        if (!given("Content-Type")) out.append("Content-Type: application/json\r\n");
        out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
    }
    out.append("\r\n").append(body);
    return send(out);
}

HttpReply RawClient::get(std::string_view path, const Headers& headers) {
    return request("GET", path, {}, headers);
}

HttpReply RawClient::post(std::string_view path, std::string_view body, const Headers& headers) {
    return request("POST", path, body, headers);
}

HttpReply RawClient::request(std::string_view method, std::string_view path, std::string_view body,
                             const Headers& headers) {
    // A server may answer and close before it has read everything: the reply still counts.
    send_request(method, path, body, headers);
    return read_reply(method);
}

bool RawClient::fill(std::string* raw) {
    const std::string bytes = socket_.receive(Clock::now() + patience_);
    in_ += bytes;
    if (raw != nullptr) *raw += bytes;
    return !bytes.empty();
}

HttpReply RawClient::begin_reply(std::string_view method) {
    HttpReply reply;
    reply.raw = in_;
    for (;;) {
        std::optional<HeadText> head = take_head(in_);
        if (!head) {
            if (fill(&reply.raw)) continue;
            reply.ended = true;
            return reply;
        }
        reply.status = std::atoi(head->word(1).c_str());
        reply.head = std::move(*head);
        if (reply.status < 100 || reply.status >= 200 || reply.status == 101) break;
    }
    no_body_ = method == "HEAD" || reply.status == 204 || reply.status == 304 ||
               reply.head.length() == std::uint64_t{0};
    if (no_body_) reply.ended = reply.clean_end = true;
    return reply;
}

void RawClient::add(HttpReply& reply, std::string bytes) const {
    reply.body += bytes;
    reply.pieces.push_back({std::move(bytes), Clock::now()});
}

bool RawClient::read_plain(HttpReply& reply) {
    if (in_.empty() && !fill(&reply.raw)) {
        reply.ended = true;
        reply.clean_end = !reply.head.length() && !socket_.was_reset();
        return false;
    }
    std::size_t size = in_.size();
    if (const auto length = reply.head.length()) {
        size = std::min<std::size_t>(size, *length - reply.body.size());
        reply.ended = reply.clean_end = reply.body.size() + size == *length;
    }
    std::string bytes = in_.substr(0, size);
    in_.erase(0, size);
    add(reply, std::move(bytes));
    return true;
}

bool RawClient::read_piece(HttpReply& reply) {
    if (reply.ended) return false;
    if (!reply.head.is_chunked()) return read_plain(reply);
    for (;;) {
        std::string data;
        switch (take_chunk(in_, data)) {
            case ChunkState::data:
                add(reply, std::move(data));
                return true;
            case ChunkState::last:
                reply.ended = reply.clean_end = true;
                return false;
            case ChunkState::bad:
                reply.ended = true;
                return false;
            case ChunkState::need_more:
                break;
        }
        if (!fill(&reply.raw)) {
            reply.ended = true;
            return false;
        }
    }
}

bool RawClient::read_until(HttpReply& reply, std::string_view text) {
    while (reply.body.find(text) == std::string::npos) {
        if (!read_piece(reply)) return false;
    }
    return true;
}

HttpReply RawClient::read_reply(std::string_view method) {
    HttpReply reply = begin_reply(method);
    while (read_piece(reply)) {
    }
    return reply;
}

std::string RawClient::read_raw_until(std::string_view marker) {
    for (;;) {
        const std::size_t at = in_.find(marker);
        const bool found = at != std::string::npos;
        if (found || !fill(nullptr)) {
            const std::size_t size = found ? at + marker.size() : in_.size();
            std::string out = in_.substr(0, size);
            in_.erase(0, size);
            return out;
        }
    }
}

std::string RawClient::read_to_end() {
    while (fill(nullptr)) {
    }
    return std::exchange(in_, {});
}

void RawClient::wait_closed() { read_to_end(); }

bool RawClient::stays_silent(Milliseconds window) {
    if (!in_.empty()) return false;
    const std::optional<std::string> bytes = socket_.try_receive(Clock::now() + window);
    if (bytes) in_ += *bytes;
    return !bytes;
}

HttpReply http_get(std::uint16_t port, std::string_view path, const Headers& headers) {
    return RawClient(port).get(path, headers);
}

HttpReply http_post(std::uint16_t port, std::string_view path, std::string_view body,
                    const Headers& headers) {
    return RawClient(port).post(path, body, headers);
}

}  // namespace ollama_proxy::support
