#include "grpc/decision_feed.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <iterator>

namespace ollama_proxy::grpc_api {
namespace asio = boost::asio;

void DecisionBox::put(const router::LastDecision& decision) {
    {
        std::lock_guard lock(mutex_);
        const bool is_first = waiting_.empty();
        if (waiting_.size() >= kMost) waiting_.pop_front();
        waiting_.push_back(decision);
        if (!is_first) return;
    }
    asio::post(wake_.get_executor(), [self = shared_from_this()] { self->wake_.cancel(); });
}

std::vector<router::LastDecision> DecisionBox::take() {
    std::lock_guard lock(mutex_);
    std::vector<router::LastDecision> out(std::make_move_iterator(waiting_.begin()),
                                          std::make_move_iterator(waiting_.end()));
    waiting_.clear();
    return out;
}

bool DecisionBox::has_news() {
    std::lock_guard lock(mutex_);
    return !waiting_.empty();
}

asio::awaitable<void> DecisionBox::until_news(TimePoint limit) {
    wake_.expires_at(limit);
    // what came while nobody waited has had its wake-up; the wake-up of what comes from here on is
    // posted to this thread, and so runs only once the wait has begun
    if (has_news()) co_return;
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
}

}  // namespace ollama_proxy::grpc_api
