#include "http/hints.hpp"
#include "http/session.hpp"
#include "http/websocket/session.hpp"

namespace ollama_proxy::http {
using boost::asio::awaitable;

namespace {

/// The other protocol's session while it has the connection.
class Lent {
  public:
    Lent(WebSocketSession*& slot, WebSocketSession& session) : slot_(slot) { slot_ = &session; }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() { slot_ = nullptr; }

  private:
    WebSocketSession*& slot_;
};

}  // namespace

/// Hands the connection over to a WebSocket, for the rest of its life.
awaitable<Session::After> Session::serve_websocket(const codec::RequestHead& head) {
    auto upgrade = read_upgrade(head, downstream_.unread().size() > head.size);
    auto hints = parse_hints(head);
    const bool lacks = lacks_upgrade(head);
    downstream_.consume(head.size);
    std::optional<Error> error;
    if (!upgrade) {
        error = upgrade.error();
    } else if (!hints) {
        error = hints.error();
    } else if (shared_->draining.load(std::memory_order_relaxed)) {
        error = make_error(Errc::shutting_down, "the proxy is shutting down");
    }
    if (error) {
        note_error(*error);
        Reply reply = error_reply(request_.dialect, *error);
        if (lacks) {
            reply.status = 426;
            reply.fields += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        }
        co_return co_await send(std::move(reply));
    }
    {
        WebSocketSession session(shared_, downstream_.socket(), worker_,
                                 {client_, request_.authorization, std::move(*hints)});
        const Lent lent(websocket_, session);
        co_await session.run(std::move(*upgrade), request_.request_id);
    }
    record_.status = 101;
    finish_record();
    co_return After::close;
}

void Session::drain() {
    if (websocket_) {
        websocket_->drain();
    } else if (is_idle()) {
        close();
    }
}

}  // namespace ollama_proxy::http
