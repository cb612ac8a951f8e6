#include "ollama_proxy/access/rate_limiter.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::access {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint() + std::chrono::hours(1);

TEST(RateLimiter, LetsABurstPassAndThenTheRate) {
    RateLimiter limiter({true, 2.0, 3});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take("a", kStart), 0);
    EXPECT_EQ(limiter.take("a", kStart), 1);
    EXPECT_EQ(limiter.take("a", kStart + milliseconds(499)), 1);
    EXPECT_EQ(limiter.take("a", kStart + milliseconds(501)), 0);
    EXPECT_EQ(limiter.take("a", kStart + milliseconds(501)), 1);
}

TEST(RateLimiter, SaysHowLongToWait) {
    RateLimiter limiter({true, 0.1, 1});
    EXPECT_EQ(limiter.take("a", kStart), 0);
    EXPECT_EQ(limiter.take("a", kStart), 10);
    EXPECT_EQ(limiter.take("a", kStart + seconds(4)), 6);
    EXPECT_EQ(limiter.take("a", kStart + seconds(10)), 0) << "what was said must hold";
}

TEST(RateLimiter, ARefusedRequestCostsNothing) {
    RateLimiter limiter({true, 1.0, 1});
    EXPECT_EQ(limiter.take("a", kStart), 0);
    for (int i = 0; i < 50; ++i) EXPECT_GT(limiter.take("a", kStart + milliseconds(i)), 0);
    EXPECT_EQ(limiter.take("a", kStart + milliseconds(1001)), 0);
}

TEST(RateLimiter, ClientsDoNotPayForEachOther) {
    RateLimiter limiter({true, 1.0, 1});
    EXPECT_EQ(limiter.take("a", kStart), 0);
    EXPECT_EQ(limiter.take("b", kStart), 0);
    EXPECT_GT(limiter.take("a", kStart), 0);
}

TEST(RateLimiter, ALongPauseSavesUpTheBurstAndNoMore) {
    RateLimiter limiter({true, 100.0, 2});
    EXPECT_EQ(limiter.take("a", kStart), 0);
    const TimePoint later = kStart + std::chrono::hours(24);
    EXPECT_EQ(limiter.take("a", later), 0);
    EXPECT_EQ(limiter.take("a", later), 0);
    EXPECT_GT(limiter.take("a", later), 0);
}

TEST(RateLimiter, OffItLetsEverythingPass) {
    RateLimiter limiter({false, 0.001, 1});
    for (int i = 0; i < 100; ++i) EXPECT_EQ(limiter.take("a", kStart), 0);
}

/// More clients than it remembers: those who are in debt stay in debt while others can be
/// forgotten.
TEST(RateLimiter, ANewRateHoldsAtOnceAndForgivesNothing) {
    RateLimiter limiter({true, 0.1, 2});
    EXPECT_EQ(limiter.take("a", kStart), 0);
    limiter.configure({true, 1.0, 2});
    EXPECT_EQ(limiter.take("a", kStart), 0);
    EXPECT_EQ(limiter.take("a", kStart), 1);
    limiter.configure({false, 1.0, 2});
    EXPECT_EQ(limiter.take("a", kStart), 0);
}

TEST(RateLimiter, ForgetsTheFullBucketsFirst) {
    RateLimiter limiter({true, 1.0, 2});
    for (int i = 0; i < 9990; ++i) {
        EXPECT_EQ(limiter.take("full-" + std::to_string(i), kStart), 0);
    }
    const TimePoint later = kStart + seconds(5);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(limiter.take("debtor", later), 0);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(limiter.take("new-" + std::to_string(i), later), 0);
    }
    EXPECT_GT(limiter.take("debtor", later), 0);
}

}  // namespace
}  // namespace ollama_proxy::access
