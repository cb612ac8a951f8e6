#pragma once

#include "ollama_proxy/router/router.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace ollama_proxy::grpc_api {

/// Decisions on their way from the workers that make them to one client that watches them. A client
/// that takes them too slowly loses the oldest: nobody waits for it.
class DecisionBox : public std::enable_shared_from_this<DecisionBox> {
  public:
    static constexpr std::size_t kMost = 256;  ///< that wait for the client

    explicit DecisionBox(const boost::asio::any_io_executor& executor) : wake_(executor) {}

    /// Thread: any.
    void put(const router::LastDecision& decision);

    // Thread of the following: that of the executor.
    /// Those that are new, oldest first.
    [[nodiscard]] std::vector<router::LastDecision> take();
    /// Returns when there may be something to take, at the latest at `limit`. Cancelling throws.
    [[nodiscard]] boost::asio::awaitable<void> until_news(TimePoint limit);

  private:
    [[nodiscard]] bool has_news();

    std::mutex mutex_;
    std::deque<router::LastDecision> waiting_;  ///< the first one wakes who waits
    boost::asio::steady_timer wake_;
};

/// What the router has decided since it was made.
class DecisionFeed {
  public:
    DecisionFeed(router::Router& router, const boost::asio::any_io_executor& executor)
        : box_(std::make_shared<DecisionBox>(executor)),
          subscription_(router.subscribe_decisions(
              [box = box_](const router::LastDecision& decision) { box->put(decision); })) {}

    [[nodiscard]] DecisionBox& box() { return *box_; }

  private:
    std::shared_ptr<DecisionBox> box_;
    Observers<router::LastDecision>::Subscription subscription_;
};

}  // namespace ollama_proxy::grpc_api
