#include "router/slow_start.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

const TimePoint kBack = TimePoint{} + std::chrono::seconds(1000);
constexpr Capacity kFull{4, 6};

TEST(SlowStart, GivesOneSlotAtFirstAndThenOneMoreAtATime) {
    EXPECT_EQ(slow_start(kFull, kBack, kBack).in_all, 1U);
    EXPECT_EQ(slow_start(kFull, kBack, kBack + Milliseconds(499)).per_model, 1U);
    EXPECT_EQ(slow_start(kFull, kBack, kBack + Milliseconds(500)).per_model, 2U);
    EXPECT_EQ(slow_start(kFull, kBack, kBack + Milliseconds(2000)).per_model, 4U);
    EXPECT_EQ(slow_start(kFull, kBack, kBack + Milliseconds(2000)).in_all, 5U);
    EXPECT_EQ(slow_start(kFull, kBack, kBack + std::chrono::hours(1)).in_all, 6U);
}

TEST(SlowStart, LeavesAloneWhatWasNeverInTrouble) {
    EXPECT_EQ(slow_start(kFull, TimePoint{}, kBack).per_model, 4U);
}

TEST(SlowStart, BeforeItIsBackThereIsOneSlot) {
    EXPECT_EQ(slow_start(kFull, kBack, kBack - Milliseconds(1)).in_all, 1U);
}

}  // namespace
}  // namespace ollama_proxy::router
