#pragma once

#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/runtime/disconnect_watch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace ollama_proxy::demo {

/// One request as the simulator reads it; kept per connection so that its strings keep their room.
struct Request {
    std::string method;
    std::string path;  ///< target without query
    std::string body;
    int minor_version = 1;
    bool keep_alive = true;
    bool expect_continue = false;
    codec::Framing framing = codec::Framing::none;
    std::uint64_t content_length = 0;
};

/// A client's connection: reads requests, writes bytes, notices at once when the client leaves
/// while an answer is being made. Owns no buffer while it streams. Thread: the socket's context.
/// Cancelling any of its awaitables leaves a connection that can only be closed.
class Connection {
  public:
    explicit Connection(boost::asio::ip::tcp::socket socket);

    /// Reads the next head. False: the connection has ended, or was refused with 400.
    boost::asio::awaitable<bool> read_head(Request& request);
    /// Reads the body into the request. False as above; 413 above 256 MiB.
    boost::asio::awaitable<bool> read_body(Request& request);
    /// Reads the body and forgets it, whatever its size; returns false when it broke off.
    boost::asio::awaitable<bool> discard_body(const Request& request);

    /// Writes all of `bytes`, directly as far as the kernel takes them. False: the client is gone.
    boost::asio::awaitable<bool> send(std::string_view bytes);
    /// Waits until `due` (kNever: for ever). False as soon as the client has left.
    boost::asio::awaitable<bool> pause_until(TimePoint due);
    /// Frees what is not needed while an answer is made.
    void shed_buffers(Request& request);
    /// The answer is complete: the next request may be read.
    void settle();

    /// Closes with RST instead of FIN.
    void reset();

  private:
    boost::asio::awaitable<bool> fill(std::size_t room);
    boost::asio::awaitable<bool> take(const Request& request, std::string* body);
    boost::asio::awaitable<bool> take_chunked(std::string* body);
    boost::asio::awaitable<bool> refuse(std::string_view status, std::string_view why);
    void watch();

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    std::string in_;  ///< bytes read and not yet used
    codec::RequestHead head_;
    bool watching_ = false;
    runtime::DisconnectWatch watch_;
};

}  // namespace ollama_proxy::demo
