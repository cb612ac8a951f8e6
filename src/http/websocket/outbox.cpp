#include "http/websocket/outbox.hpp"

#include <utility>

namespace ollama_proxy::http {
using boost::asio::awaitable;

void WebSocketOutbox::push(std::string message) {
    if (shut()) return;
    bytes_ += message.size();
    messages_.push_back(std::move(message));
    pump();
}

awaitable<void> WebSocketOutbox::room() {
    while (bytes_ >= kLimit && !aborted_) {
        co_await drained_.wait();
    }
}

void WebSocketOutbox::finish(CloseCode code, std::string reason) {
    if (shut()) return;
    goodbye_ = {code, std::move(reason)};
    if (!writing_) idle_.notify();
}

void WebSocketOutbox::abort() {
    aborted_ = true;
    messages_.clear();
    bytes_ = 0;
    if (!writing_) idle_.notify();
    drained_.notify();
}

/// Gives the link the next message if it has none. Called by who pushes, so that a token goes to
/// the kernel without a turn of the event loop.
void WebSocketOutbox::pump() {
    if (writing_ || !link_ || messages_.empty()) return;
    std::string message = std::move(messages_.front());
    messages_.pop_front();
    writing_ = true;
    in_flight_ = message.size();
    link_->start_write(
        std::move(message), WebSocketLink::Kind::text,
        [](void* self, bool ok) { static_cast<WebSocketOutbox*>(self)->written(ok); }, this);
}

void WebSocketOutbox::written(bool ok) {
    writing_ = false;
    if (!ok) return abort();
    if (!aborted_) {
        const bool was_full = bytes_ >= kLimit;
        bytes_ -= in_flight_;
        if (was_full && bytes_ < kLimit) drained_.notify();
        pump();
    }
    if (!writing_ && shut()) idle_.notify();
}

awaitable<void> WebSocketOutbox::run(WebSocketLink& link) {
    link_ = &link;
    pump();
    for (;;) {
        if (!writing_ && aborted_) co_return;
        if (!writing_ && goodbye_) {
            aborted_ = true;  // the close frame is the last one
            co_return co_await link.close(goodbye_->code, goodbye_->reason);
        }
        co_await idle_.wait();
    }
}

}  // namespace ollama_proxy::http
