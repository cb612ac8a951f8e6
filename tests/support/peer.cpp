#include "support/peer.hpp"

#include "support/scripted_backend.hpp"

#include <algorithm>

namespace ollama_proxy::support {

Peer::Peer(ScriptedBackend& backend, Socket socket, std::size_t number)
    : backend_(backend), socket_(std::move(socket)), number_(number) {}

RecordedRequest Peer::read_request(Milliseconds patience) {
    const TimePoint deadline = Clock::now() + patience;
    for (;;) {
        RecordedRequest request = read_any(deadline);
        if (backend_.answer_probe(*this, request)) continue;
        backend_.record(request);
        return request;
    }
}

void Peer::fill(RecordedRequest& request, TimePoint deadline) {
    if (!socket_.is_open()) throw PeerGone("closed by the script");
    const std::string bytes = socket_.receive(deadline);
    if (bytes.empty()) throw PeerGone("the other side left");
    in_ += bytes;
    request.raw += bytes;
}

RecordedRequest Peer::read_any(TimePoint deadline) {
    RecordedRequest request;
    request.raw = in_;
    for (;;) {
        std::optional<HeadText> head = take_head(in_);
        if (!head) {
            fill(request, deadline);
            continue;
        }
        request.head = std::move(*head);
        break;
    }
    request.method = request.head.word(0);
    request.target = request.head.word(1);
    request.connection = number_;
    if (same_name(request.head.get("Expect"), "100-continue") && in_.empty()) {
        send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    read_body(request, deadline);
    // What follows belongs to the next request.
    request.raw.resize(request.raw.size() - in_.size());
    request.at = Clock::now();
    return request;
}

void Peer::read_body(RecordedRequest& request, TimePoint deadline) {
    if (request.head.is_chunked()) {
        for (;;) {
            std::string data;
            switch (take_chunk(in_, data)) {
                case ChunkState::data:
                    request.body += data;
                    break;
                case ChunkState::last:
                    return;
                case ChunkState::bad:
                    throw std::runtime_error("bad chunk in a request");
                case ChunkState::need_more:
                    fill(request, deadline);
                    break;
            }
        }
    }
    const std::uint64_t length = request.head.length().value_or(0);
    while (in_.size() < length) fill(request, deadline);
    request.body = in_.substr(0, length);
    in_.erase(0, length);
}

void Peer::send(std::string_view bytes) {
    if (!socket_.is_open() || !socket_.send(bytes)) throw PeerGone("the other side left");
}

void Peer::reply(int status, std::string_view body, std::string_view type,
                 std::string_view more_headers) {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\nContent-Type: ";
    out.append(type).append("\r\n").append(more_headers);
    out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    out.append(body);
    send(out);
}

void Peer::begin_chunked(std::string_view type, std::string_view more_headers) {
    std::string out = "HTTP/1.1 200 OK\r\nContent-Type: ";
    out.append(type).append("\r\n").append(more_headers);
    send(out.append("Transfer-Encoding: chunked\r\n\r\n"));
}

void Peer::close() {
    const std::lock_guard lock(closing_);
    socket_.close();
}

void Peer::half_close() { socket_.half_close(); }

void Peer::reset() {
    const std::lock_guard lock(closing_);
    socket_.reset();
}

void Peer::interrupt() {
    const std::lock_guard lock(closing_);
    if (socket_.is_open()) socket_.shut_down();
}

Milliseconds Peer::wait_closed(Milliseconds patience) {
    const TimePoint start = Clock::now();
    for (;;) {
        const std::string bytes = socket_.receive(start + patience);
        if (bytes.empty()) return std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
        in_ += bytes;
    }
}

bool Peer::expect_no_more(Milliseconds window) {
    if (!in_.empty()) return false;
    const std::optional<std::string> bytes = socket_.try_receive(Clock::now() + window);
    if (bytes) in_ += *bytes;
    return !bytes || bytes->empty();
}

}  // namespace ollama_proxy::support
