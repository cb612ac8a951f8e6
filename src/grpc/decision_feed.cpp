#include "grpc/decision_feed.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <iterator>
#include <utility>

namespace ollama_proxy::grpc_api {
namespace asio = boost::asio;

DecisionFeed::DecisionFeed(router::Router& router, const asio::any_io_executor& executor)
    : box_(std::make_shared<Box>(executor)),
      subscription_(router.subscribe_decisions(
          [box = box_](const router::LastDecision& decision) { put(box, decision); })) {}

void DecisionFeed::put(const std::shared_ptr<Box>& box, const router::LastDecision& decision) {
    {
        std::lock_guard lock(box->mutex);
        if (box->waiting.size() >= kMost) box->waiting.pop_front();
        box->waiting.push_back(decision);
        if (std::exchange(box->told, true)) return;
    }
    asio::post(box->wake.get_executor(), [box] { box->wake.cancel(); });
}

std::vector<router::LastDecision> DecisionFeed::take() {
    std::lock_guard lock(box_->mutex);
    box_->told = false;
    std::vector<router::LastDecision> out(std::make_move_iterator(box_->waiting.begin()),
                                          std::make_move_iterator(box_->waiting.end()));
    box_->waiting.clear();
    return out;
}

asio::awaitable<void> DecisionFeed::until_news(TimePoint limit) {
    box_->wake.expires_at(limit);
    co_await box_->wake.async_wait(asio::as_tuple(asio::use_awaitable));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
}

}  // namespace ollama_proxy::grpc_api
