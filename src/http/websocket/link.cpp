// The only file that knows Beast's WebSocket: its templates take many seconds to compile.
#include "http/websocket/link.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace ollama_proxy::http {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::awaitable;
using asio::ip::tcp;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
/// For the peer's close frame, and for ending the connection behind it.
constexpr Milliseconds kCloseTime{1000};
constexpr std::size_t kKeptRoom = 16 * 1024;

/// The connection as Beast sees it. When it gives a connection up (a message too large, a broken
/// frame) Beast reads once and closes; what is unread then makes the kernel send a reset, which
/// overtakes the close frame that says why. So the end is ours: all that is on its way is read.
struct Wire {
    using executor_type = tcp::socket::executor_type;

    tcp::socket& socket;
    runtime::Deadline& limit;  ///< closes the socket when it expires

    executor_type get_executor() { return socket.get_executor(); }
    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return socket.async_read_some(buffers, std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return socket.async_write_some(buffers, std::forward<Token>(token));
    }
    /// Beast's timeouts end a connection by this.
    friend void beast_close_socket(Wire& wire) {
        boost::system::error_code ignored;
        wire.socket.close(ignored);
    }
};

/// Reads away what the peer still sends, until it closes or the limit expires; then closes.
struct Drain {
    Wire& wire;

    template <class Self>
    void operator()(Self& self, boost::system::error_code error = {}) {
        std::array<char, 16 * 1024> bytes;
        while (!error) {
            const ssize_t n =
                ::recv(wire.socket.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (n > 0) continue;
            const bool waits = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
            if (!waits) break;
            return wire.socket.async_wait(tcp::socket::wait_read, std::move(self));
        }
        wire.limit.disarm();
        beast_close_socket(wire);
        self.complete({});
    }
};

/// Found by Beast in the namespace of its stream.
template <class Handler>
void async_teardown(beast::role_type, Wire& wire, Handler&& handler) {
    boost::system::error_code ignored;
    wire.socket.shutdown(tcp::socket::shutdown_send, ignored);
    wire.limit.expires_after(kCloseTime);
    asio::async_compose<Handler, void(boost::system::error_code)>(Drain{wire}, handler,
                                                                  wire.socket.get_executor());
}

}  // namespace

struct WebSocketLink::Impl {
    Impl(tcp::socket& s, runtime::DeadlineQueue& deadlines, const Settings& given, OnClose on_close,
         void* argument)
        : socket(s),
          settings(given),
          stall(deadlines, &Impl::on_stall, this),
          stream(Wire{s, stall}) {
        websocket::stream_base::timeout timeouts{};
        timeouts.handshake_timeout = kCloseTime;
        timeouts.idle_timeout = settings.idle;
        timeouts.keep_alive_pings = true;
        stream.set_option(timeouts);
        websocket::permessage_deflate deflate;
        deflate.server_enable = settings.deflate;
        deflate.compLevel = 3;
        deflate.msg_size_threshold = 256;  // a token only grows
        stream.set_option(deflate);
        stream.read_message_max(settings.message_bytes);
        stream.auto_fragment(false);
        stream.control_callback([this, on_close, argument](websocket::frame_type kind, auto) {
            if (kind != websocket::frame_type::close) return;
            // who closes and takes nothing any more must not hold the connection
            if (stall.armed()) stall.expires_after(kCloseTime);
            on_close(argument);
        });
    }

    static void on_stall(void* self) {
        boost::system::error_code ignored;
        static_cast<Impl*>(self)->socket.close(ignored);
    }

    tcp::socket& socket;
    Settings settings;
    runtime::Deadline stall;
    websocket::stream<Wire> stream;
    beast::flat_buffer buffer;
    std::string sending;    ///< the message that is on its way
    bool read_one = false;  ///< the buffer holds a message that was handed out
};

WebSocketLink::WebSocketLink(tcp::socket& socket, runtime::DeadlineQueue& deadlines,
                             const Settings& settings, OnClose on_close, void* argument)
    : impl_(std::make_unique<Impl>(socket, deadlines, settings, on_close, argument)) {}

WebSocketLink::~WebSocketLink() = default;

awaitable<bool> WebSocketLink::accept(Upgrade upgrade, std::string request_id) {
    // rebuilt from what was checked: the client's own head is not parsed a second time
    beast::http::request<beast::http::empty_body> head;
    using beast::http::field;
    head.method(beast::http::verb::get);
    head.target("/");
    head.version(11);
    head.set(field::host, upgrade.host);
    head.set(field::upgrade, "websocket");
    head.set(field::connection, "Upgrade");
    head.set(field::sec_websocket_key, upgrade.key);
    head.set(field::sec_websocket_version, "13");
    if (impl_->settings.deflate && !upgrade.extensions.empty()) {
        head.set(field::sec_websocket_extensions, upgrade.extensions);
    }
    impl_->stream.set_option(websocket::stream_base::decorator(
        [id = std::move(request_id)](websocket::response_type& reply) {
            reply.set("X-Request-ID", id);
        }));
    auto [error] = co_await impl_->stream.async_accept(head, kToken);
    co_return !error;
}

awaitable<WebSocketLink::Read> WebSocketLink::read(access::ByteBudget& budget,
                                                   access::ByteBudget::Lease& lease) {
    Impl& impl = *impl_;
    if (std::exchange(impl.read_one, false)) {
        impl.buffer.clear();
        if (impl.buffer.capacity() > kKeptRoom) impl.buffer = beast::flat_buffer();
    }
    do {
        auto [error, n] = co_await impl.stream.async_read_some(impl.buffer, 0, kToken);
        if (error) co_return Read::ended;
        if (!budget.extend(lease, n, access::kSpare)) co_return Read::no_room;
    } while (!impl.stream.is_message_done());
    impl.read_one = true;
    co_return impl.stream.got_text() ? Read::text : Read::binary;
}

std::string_view WebSocketLink::message() const {
    const auto data = impl_->buffer.cdata();
    return {static_cast<const char*>(data.data()), data.size()};
}

void WebSocketLink::start_write(std::string data, Kind kind, OnWritten on_written, void* argument) {
    Impl* impl = impl_.get();
    impl->sending = std::move(data);
    impl->stall.expires_after(impl->settings.write_stall);
    impl->stream.text(kind == Kind::text);
    impl->stream.async_write(
        asio::buffer(impl->sending),
        [impl, on_written, argument](boost::system::error_code error, std::size_t) {
            impl->stall.disarm();
            on_written(argument, !error);
        });
}

awaitable<void> WebSocketLink::close(CloseCode code, std::string reason) {
    const websocket::close_reason why(static_cast<websocket::close_code>(code),
                                      reason.substr(0, 120));
    impl_->stall.expires_after(kCloseTime);
    co_await impl_->stream.async_close(why, kToken);
    impl_->stall.disarm();
}

void WebSocketLink::cut() { Impl::on_stall(impl_.get()); }

}  // namespace ollama_proxy::http
