#include "demo/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <vector>

namespace ollama_proxy::demo {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr codec::HeadLimits kLimits{65536, 200, 16384};
constexpr std::uint64_t kBodyLimit = 256U << 20;
constexpr std::size_t kReadRoom = 4096;        ///< a small request fits
constexpr std::size_t kBulkRoom = 64 * 1024;   ///< bodies that are larger
constexpr std::size_t kReadAhead = 64 * 1024;  ///< pipelined bytes while an answer is made

}  // namespace

Connection::Connection(tcp::socket socket)
    : socket_(std::move(socket)), timer_(socket_.get_executor()), watch_(socket_, in_, kReadAhead) {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
}

asio::awaitable<bool> Connection::fill(std::size_t room) {
    const std::size_t before = in_.size();
    in_.resize(before + room);
    const auto [error, size] =
        co_await socket_.async_read_some(asio::buffer(in_.data() + before, room), kTuple);
    in_.resize(before + size);
    co_return !error;
}

asio::awaitable<bool> Connection::refuse(std::string_view status, std::string_view why) {
    std::string reply = "HTTP/1.1 ";
    reply.append(status).append("\r\nContent-Type: text/plain; charset=utf-8\r\n");
    reply.append("Connection: close\r\nContent-Length: ").append(std::to_string(why.size()));
    reply.append("\r\n\r\n").append(why);
    co_await send(reply);
    co_return false;
}

asio::awaitable<bool> Connection::read_head(Request& request) {
    for (;;) {
        if (!in_.empty()) {
            const codec::HeadOutcome outcome = codec::parse_request_head(in_, kLimits, head_);
            if (outcome.state == codec::HeadState::complete) break;
            if (outcome.state == codec::HeadState::refused) {
                co_return co_await refuse("400 Bad Request", outcome.why);
            }
        }
        if (!co_await fill(kReadRoom)) co_return false;
    }
    request.method.assign(head_.method);
    request.path.assign(head_.target.substr(0, head_.target.find('?')));
    request.body.clear();
    request.minor_version = head_.minor_version;
    request.keep_alive = head_.keep_alive;
    request.expect_continue = head_.expect_continue;
    request.framing = head_.framing;
    request.content_length = head_.framing == codec::Framing::length ? head_.content_length : 0;
    in_.erase(0, head_.size);
    co_return true;
}

asio::awaitable<bool> Connection::read_body(Request& request) {
    if (request.content_length > kBodyLimit) {
        co_return co_await refuse("413 Request Entity Too Large", "request body too large");
    }
    co_return co_await take(request, &request.body);
}

asio::awaitable<bool> Connection::discard_body(const Request& request) {
    co_return co_await take(request, nullptr);
}

asio::awaitable<bool> Connection::take(const Request& request, std::string* body) {
    if (request.expect_continue && in_.empty() && request.framing != codec::Framing::none) {
        if (!co_await send("HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
    }
    if (request.framing == codec::Framing::chunked) co_return co_await take_chunked(body);
    std::uint64_t left = request.content_length;
    for (;;) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, in_.size()));
        if (body != nullptr) body->append(in_, 0, size);
        in_.erase(0, size);
        left -= size;
        if (left == 0) co_return true;
        if (!co_await fill(kBulkRoom)) co_return false;
    }
}

asio::awaitable<bool> Connection::take_chunked(std::string* body) {
    codec::ChunkDecoder decoder;
    std::vector<std::string_view> data;
    for (;;) {
        data.clear();
        const codec::ChunkDecoder::Step step = decoder.feed(in_, data);
        if (body != nullptr) {
            for (const std::string_view piece : data) body->append(piece);
            if (body->size() > kBodyLimit) {
                co_return co_await refuse("413 Request Entity Too Large", "request body too large");
            }
        }
        in_.erase(0, step.consumed);
        if (step.state == codec::ChunkDecoder::State::done) co_return true;
        if (step.state == codec::ChunkDecoder::State::bad) {
            co_return co_await refuse("400 Bad Request", "malformed chunked encoding");
        }
        if (!co_await fill(kBulkRoom)) co_return false;
    }
}

asio::awaitable<bool> Connection::send(std::string_view bytes) {
    if (watch_.gone()) co_return false;
    boost::system::error_code error;
    const auto write = [&] {
        while (!bytes.empty()) {
            const std::size_t size =
                socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
            if (error) return;
            bytes.remove_prefix(size);
        }
    };
    write();
    if (!error) co_return true;
    // What the kernel does not take now is copied: the caller's buffer is shared.
    const std::string rest(bytes);
    bytes = rest;
    while (error == asio::error::would_block || error == asio::error::try_again) {
        watch();
        const auto [failed] = co_await socket_.async_wait(tcp::socket::wait_write, kTuple);
        if (failed || watch_.gone()) co_return false;
        error.clear();
        write();
        if (!error) co_return true;
    }
    co_return false;
}

asio::awaitable<bool> Connection::pause_until(TimePoint due) {
    watch();
    if (watch_.gone()) co_return false;
    timer_.expires_at(due);
    co_await timer_.async_wait(kTuple);
    co_return !watch_.gone();
}

void Connection::watch() {
    if (watching_) return;
    watching_ = true;
    watch_.arm(
        [](void* argument) {
            auto& self = *static_cast<Connection*>(argument);
            boost::system::error_code ignored;
            self.timer_.cancel();
            self.socket_.cancel(ignored);
        },
        this);
}

void Connection::shed_buffers(Request& request) {
    if (in_.empty()) in_ = std::string();
    request.body = std::string();
    head_ = codec::RequestHead();
}

void Connection::settle() {
    if (!watching_) return;
    watching_ = false;
    watch_.disarm();
}

void Connection::reset() {
    boost::system::error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
}

}  // namespace ollama_proxy::demo
