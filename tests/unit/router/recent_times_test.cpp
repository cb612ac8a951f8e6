#include "router/recent_times.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

TEST(RecentTimes, AFewSayNothing) {
    RecentTimes times;
    for (std::size_t i = 1; i < RecentTimes::kEnough; ++i) times.add(1);
    EXPECT_FALSE(times.percentile(50));
    times.add(1);
    EXPECT_EQ(times.percentile(50), 1);
}

TEST(RecentTimes, APercentileIsTheNearestRank) {
    RecentTimes times;
    for (int ms = 20; ms >= 1; --ms) times.add(ms);
    EXPECT_EQ(times.percentile(1), 1);
    EXPECT_EQ(times.percentile(50), 10);
    EXPECT_EQ(times.percentile(95), 19);
    EXPECT_EQ(times.percentile(96), 20);
    EXPECT_EQ(times.percentile(100), 20);
}

TEST(RecentTimes, TheOldestAreForgotten) {
    RecentTimes times;
    for (int i = 0; i < 100; ++i) times.add(1000);
    for (std::size_t i = 0; i < RecentTimes::kKept; ++i) times.add(2);
    EXPECT_EQ(times.percentile(100), 2);
}

}  // namespace
}  // namespace ollama_proxy::router
