#include "grpc/decision_feed.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <thread>

namespace ollama_proxy::grpc_api {
namespace {

router::LastDecision decision(std::size_t number) {
    return {"backend-" + std::to_string(number), "balanced", 1, {}};
}

TEST(DecisionBox, GivesWhatIsNewInItsOrder) {
    boost::asio::io_context context;
    const auto box = std::make_shared<DecisionBox>(context.get_executor());
    EXPECT_TRUE(box->take().empty());
    box->put(decision(1));
    box->put(decision(2));
    const auto taken = box->take();
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].backend, "backend-1");
    EXPECT_EQ(taken[1].backend, "backend-2");
    EXPECT_TRUE(box->take().empty());
}

TEST(DecisionBox, LosesTheOldestOfWhatNobodyTakes) {
    boost::asio::io_context context;
    const auto box = std::make_shared<DecisionBox>(context.get_executor());
    for (std::size_t i = 0; i < DecisionBox::kMost + 3; ++i) box->put(decision(i));
    const auto taken = box->take();
    ASSERT_EQ(taken.size(), DecisionBox::kMost);
    EXPECT_EQ(taken.front().backend, "backend-3");
    EXPECT_EQ(taken.back().backend, "backend-" + std::to_string(DecisionBox::kMost + 2));
}

TEST(DecisionBox, WakesWhoWaitsFromWhicheverThread) {
    boost::asio::io_context context;
    const auto box = std::make_shared<DecisionBox>(context.get_executor());
    auto woken = boost::asio::co_spawn(context, box->until_news(kNever), boost::asio::use_future);
    context.poll();
    std::thread other([&] { box->put(decision(1)); });
    context.run();  // returns only once nobody waits any more
    other.join();
    woken.get();
    EXPECT_EQ(box->take().size(), 1U);
}

TEST(DecisionBox, WaitsNoLongerThanItIsTold) {
    boost::asio::io_context context;
    const auto box = std::make_shared<DecisionBox>(context.get_executor());
    auto ended =
        boost::asio::co_spawn(context, box->until_news(Clock::now()), boost::asio::use_future);
    context.run();
    ended.get();
    EXPECT_TRUE(box->take().empty());
}

}  // namespace
}  // namespace ollama_proxy::grpc_api
