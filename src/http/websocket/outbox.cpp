#include "http/websocket/outbox.hpp"

#include <utility>

namespace ollama_proxy::http {
using boost::asio::awaitable;

void WebSocketOutbox::push(std::string message) {
    if (shut()) return;
    bytes_ += message.size();
    messages_.push_back(std::move(message));
    if (waiting_) filled_.notify();
}

awaitable<void> WebSocketOutbox::room() {
    while (bytes_ >= kLimit && !aborted_) {
        co_await drained_.wait();
    }
}

void WebSocketOutbox::finish(CloseCode code, std::string reason) {
    if (shut()) return;
    goodbye_ = {code, std::move(reason)};
    filled_.notify();
}

void WebSocketOutbox::abort() {
    aborted_ = true;
    messages_.clear();
    bytes_ = 0;
    filled_.notify();
    drained_.notify();
}

awaitable<void> WebSocketOutbox::run(WebSocketLink& link) {
    for (;;) {
        while (!messages_.empty()) {
            // taken out first: `abort` empties the queue while this one is on its way
            const std::string message = std::move(messages_.front());
            messages_.pop_front();
            const bool sent = co_await link.write(message);
            if (!sent) co_return abort();
            if (aborted_) co_return;
            const bool was_full = bytes_ >= kLimit;
            bytes_ -= message.size();
            if (was_full && bytes_ < kLimit) drained_.notify();
        }
        if (aborted_) co_return;
        if (goodbye_) co_return co_await link.close(goodbye_->code, goodbye_->reason);
        waiting_ = true;
        co_await filled_.wait();
        waiting_ = false;
    }
}

}  // namespace ollama_proxy::http
