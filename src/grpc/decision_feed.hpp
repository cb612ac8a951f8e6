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

/// The routing decisions since it was made, for one client that watches them. A client that takes
/// them too slowly loses the oldest: nobody waits for it. Thread: that of `executor`.
class DecisionFeed {
  public:
    static constexpr std::size_t kMost = 256;  ///< that wait for the client

    DecisionFeed(router::Router& router, const boost::asio::any_io_executor& executor);
    DecisionFeed(const DecisionFeed&) = delete;
    DecisionFeed& operator=(const DecisionFeed&) = delete;

    /// Those that are new, oldest first.
    [[nodiscard]] std::vector<router::LastDecision> take();
    /// Returns when there may be something to take, at the latest at `limit`. Cancelling throws.
    [[nodiscard]] boost::asio::awaitable<void> until_news(TimePoint limit);

  private:
    /// Workers put decisions in while the client's own worker takes them out.
    struct Box {
        explicit Box(const boost::asio::any_io_executor& executor) : wake(executor) {}

        std::mutex mutex;
        std::deque<router::LastDecision> waiting;
        bool told = false;               ///< a wake-up is on its way
        boost::asio::steady_timer wake;  ///< touched on its executor alone
    };
    static void put(const std::shared_ptr<Box>& box, const router::LastDecision& decision);

    std::shared_ptr<Box> box_;
    Observers<router::LastDecision>::Subscription subscription_;
};

}  // namespace ollama_proxy::grpc_api
