#include "router/sleep_gate.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::router {
namespace asio = boost::asio;

struct SleepGate::Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
};

/// Whatever ends the wait takes the waiter out.
struct SleepGate::Entry {
    Entry(SleepGate& gate, std::shared_ptr<Waiter> one) : owner(gate), waiter(std::move(one)) {
        std::lock_guard lock(owner.mutex_);
        owner.waiters_.push_back(waiter);
    }
    ~Entry() {
        std::lock_guard lock(owner.mutex_);
        owner.waiters_.remove(waiter);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    SleepGate& owner;
    std::shared_ptr<Waiter> waiter;
};

void SleepGate::open() {
    closed_.store(false);
    std::lock_guard lock(mutex_);
    for (const auto& waiter : waiters_) {
        // under the lock: as long as the waiter is listed its executor is alive
        asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
    }
}

asio::awaitable<std::optional<Error>> SleepGate::pass(TimePoint limit) {
    while (is_closed()) {
        if (Clock::now() >= limit) {
            Error late =
                make_error(Errc::queue_timeout, "the machine is about to sleep; try again later");
            late.retry_after_s = 1;
            co_return late;
        }
        co_await wait(limit);
    }
    co_return std::nullopt;
}

asio::awaitable<void> SleepGate::wait(TimePoint limit) {
    const auto executor = co_await asio::this_coro::executor;
    const Entry entry(*this, std::make_shared<Waiter>(executor));
    entry.waiter->timer.expires_at(limit);
    // listed before this look: who opens after it will cancel the timer
    if (!is_closed()) co_return;
    // a cancelled request throws at its next co_await; here it just goes on
    co_await entry.waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace ollama_proxy::router
