#include "app/watchdog.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace ollama_proxy::app {

Watchdog::Watchdog(boost::asio::io_context& control, runtime::WorkerPool& workers,
                   std::function<void()> alive)
    : workers_(workers),
      alive_(std::move(alive)),
      timer_(control),
      silent_(std::make_shared<std::atomic<std::size_t>>(0)) {}

void Watchdog::start(Milliseconds interval) {
    if (interval.count() <= 0) return;
    period_ = std::max(interval / 2, Milliseconds(1));
    tick();
}

void Watchdog::stop() {
    period_ = Milliseconds(0);
    timer_.cancel();
}

void Watchdog::tick() {
    if (silent_->load() == 0) {
        alive_();
        silent_->store(workers_.size());
        for (std::size_t i = 0; i < workers_.size(); ++i) {
            boost::asio::post(workers_.worker(i).context(), [silent = silent_] { --*silent; });
        }
    }
    timer_.expires_after(period_);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error && period_.count() > 0) tick();
    });
}

}  // namespace ollama_proxy::app
