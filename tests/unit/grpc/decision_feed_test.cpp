#include "grpc/decision_feed.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
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

TEST(DecisionBox, DoesNotMissWhatComesWhileTheClientIsBeingToldOfOthers) {
    boost::asio::io_context context;
    const auto box = std::make_shared<DecisionBox>(context.get_executor());
    const auto wait = [&] {
        context.restart();
        auto woken =
            boost::asio::co_spawn(context, box->until_news(kNever), boost::asio::use_future);
        context.poll();
        return woken;
    };
    const auto is_over = [](const std::future<void>& woken) {
        return woken.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    box->put(decision(1));
    box->put(decision(2));
    EXPECT_EQ(box->take().size(), 2U);
    box->put(decision(3));  // those two are still being written: nobody waits
    context.poll();
    EXPECT_TRUE(is_over(wait()));
    EXPECT_EQ(box->take().size(), 1U);

    const auto woken = wait();
    EXPECT_FALSE(is_over(woken)) << "nothing is new";
    box->put(decision(4));
    context.restart();
    context.poll();
    EXPECT_TRUE(is_over(woken));
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
