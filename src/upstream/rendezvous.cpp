#include "upstream/rendezvous.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::upstream {
namespace asio = boost::asio;

void Rendezvous::finish() {
    std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
    if (timer_ == nullptr) return;
    // Posted under the lock: as long as the waiter is registered its executor is alive.
    asio::post(timer_->get_executor(), [self = shared_from_this()] {
        std::lock_guard inner(self->mutex_);
        if (self->timer_ != nullptr) self->timer_->cancel();
    });
}

Rendezvous::Registration::Registration(Rendezvous& owner, asio::steady_timer& timer)
    : owner_(owner) {
    std::lock_guard lock(owner_.mutex_);
    finished_ = owner_.finished_;
    owner_.timer_ = &timer;
}

Rendezvous::Registration::~Registration() {
    std::lock_guard lock(owner_.mutex_);
    owner_.timer_ = nullptr;
}

asio::awaitable<void> Rendezvous::wait(std::shared_ptr<Rendezvous> self, TimePoint deadline) {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, deadline);
    const Registration registration(*self, timer);
    if (!registration.finished()) co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace ollama_proxy::upstream
