#include "router/drain_rate.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

using std::chrono::seconds;

const TimePoint kStart = TimePoint{} + seconds(1000);

TEST(DrainRate, SaysOneSecondWhenNothingIsKnown) {
    const DrainRate rate;
    EXPECT_EQ(rate.retry_after_s(500, kStart), 1);
}

TEST(DrainRate, DividesWhoWaitsByTheRateJustSeen) {
    DrainRate rate;
    for (int i = 0; i < 40; ++i) rate.note(kStart + Milliseconds(100) * i);  // 10 a second
    EXPECT_EQ(rate.retry_after_s(99, kStart + seconds(4)), 10);
    EXPECT_EQ(rate.retry_after_s(0, kStart + seconds(4)), 1);
    EXPECT_EQ(rate.retry_after_s(100000, kStart + seconds(4)), 60);
}

TEST(DrainRate, ForgetsWhatIsLongAgo) {
    DrainRate rate;
    for (int i = 0; i < 100; ++i) rate.note(kStart);
    EXPECT_EQ(rate.retry_after_s(10, kStart + seconds(30)), 60) << "nobody gets through any more";
    rate.note(kStart + seconds(30));
    EXPECT_EQ(rate.retry_after_s(4, kStart + seconds(31)), 5);
}

}  // namespace
}  // namespace ollama_proxy::router
