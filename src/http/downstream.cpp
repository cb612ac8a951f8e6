#include "http/downstream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSize = 2048;
constexpr std::size_t kMaxParts = 8;
constexpr std::size_t kLingerBytes = 64 * 1024;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Downstream::Downstream(tcp::socket socket, runtime::Worker& worker, std::size_t read_ahead)
    : socket_(std::move(socket)),
      spares_(worker.spare_buffers()),
      deadline_(
          worker.deadlines(),
          [](void* self) {
              auto& stream = *static_cast<Downstream*>(self);
              stream.timed_out_ = true;
              ErrorCode ignored;
              stream.socket_.cancel(ignored);
          },
          this),
      watch_(socket_, buffer_, read_ahead, &worker.deadlines()) {
    ErrorCode ignored;
    socket_.native_non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
}

void Downstream::consume(std::size_t n) {
    used_ += n;
    if (used_ < buffer_.size()) return;
    used_ = 0;
    buffer_.clear();
    // a stream may now run for minutes: it keeps no read buffer
    if (buffer_.capacity() > kReadSize / 2) spares_.give(buffer_);
}

bool Downstream::has_arrivals() const {
    ErrorCode error;
    return socket_.available(error) > 0 && !error;
}

awaitable<Downstream::ReadResult> Downstream::read_more(Milliseconds limit) {
    if (used_ > 0) {
        buffer_.erase(0, used_);
        used_ = 0;
    }
    timed_out_ = false;
    deadline_.expires_after(limit);
    if (buffer_.empty()) buffer_ = spares_.take();
    const std::size_t before = buffer_.size();
    // grown geometrically: a large body must not be copied once per read
    const std::size_t room = std::clamp(before, kReadSize, runtime::Worker::kScratchSize);
    buffer_.resize(before + room);
    auto [error, n] =
        co_await socket_.async_read_some(asio::buffer(buffer_.data() + before, room), kToken);
    buffer_.resize(before + n);
    deadline_.disarm();
    if (n > 0) co_return ReadResult::bytes;
    co_return timed_out_ ? ReadResult::timeout : ReadResult::closed;
}

awaitable<bool> Downstream::write(std::span<const std::string_view> parts, Milliseconds stall) {
    std::string rest;
    if (!write_first(parts, rest)) co_return false;
    if (rest.empty()) co_return true;
    co_return co_await write_rest(std::move(rest), stall);
}

bool Downstream::write_first(std::span<const std::string_view> parts, std::string& rest) {
    std::array<iovec, kMaxParts> vectors{};
    std::size_t count = 0;
    std::size_t total = 0;
    for (std::string_view part : parts) {
        if (part.empty() || count == kMaxParts) continue;
        vectors[count++] = {const_cast<char*>(part.data()), part.size()};
        total += part.size();
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    ssize_t n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        if (!would_block()) return false;
        n = 0;
    }
    auto sent = static_cast<std::size_t>(n);
    if (sent == total) return true;
    // the parts may live in shared memory that the next coroutine overwrites
    rest.reserve(total - sent);
    for (std::string_view part : parts) {
        const std::size_t skip = std::min(sent, part.size());
        rest.append(part.substr(skip));
        sent -= skip;
    }
    return true;
}

awaitable<bool> Downstream::write_rest(std::string rest, Milliseconds stall) {
    std::size_t sent = 0;
    while (sent < rest.size()) {
        timed_out_ = false;
        deadline_.expires_after(stall);
        auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kToken);
        deadline_.disarm();
        if (error || timed_out_) co_return false;
        const ssize_t n = ::send(socket_.native_handle(), rest.data() + sent, rest.size() - sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && !would_block()) co_return false;
        if (n > 0) sent += static_cast<std::size_t>(n);
    }
    co_return true;
}

bool Downstream::write_now(std::string_view bytes) {
    const ssize_t n =
        ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == static_cast<ssize_t>(bytes.size());
}

awaitable<void> Downstream::linger(Milliseconds patience) {
    ErrorCode ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    const TimePoint end = Clock::now() + patience;
    std::size_t read = unread().size();
    consume(read);
    while (read < kLingerBytes) {
        const auto left = std::chrono::duration_cast<Milliseconds>(end - Clock::now());
        if (left.count() <= 0) break;
        const ReadResult result = co_await read_more(left);
        if (result != ReadResult::bytes) break;
        read += unread().size();
        consume(unread().size());
    }
    close();
}

void Downstream::close() {
    ErrorCode ignored;
    socket_.close(ignored);
}

std::string Downstream::peer_address() const {
    ErrorCode error;
    const auto endpoint = socket_.remote_endpoint(error);
    return error ? std::string("unknown") : endpoint.address().to_string();
}

std::string Downstream::local_address() const {
    ErrorCode error;
    const auto endpoint = socket_.local_endpoint(error);
    return error ? std::string() : endpoint.address().to_string();
}

}  // namespace ollama_proxy::http
