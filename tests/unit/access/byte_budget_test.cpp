#include "ollama_proxy/access/byte_budget.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

namespace ollama_proxy::access {
namespace {

TEST(ByteBudget, ALeaseGivesBackWhatItTookWhenItDies) {
    ByteBudget budget(1000);
    {
        ByteBudget::Lease lease;
        EXPECT_TRUE(budget.extend(lease, 600, 0));
        EXPECT_TRUE(budget.extend(lease, 400, 0));
        ByteBudget::Lease other;
        EXPECT_FALSE(budget.extend(other, 1, 0));
    }
    ByteBudget::Lease lease;
    EXPECT_TRUE(budget.extend(lease, 1000, 0));
}

TEST(ByteBudget, ARefusalAddsNothing) {
    ByteBudget budget(1000);
    ByteBudget::Lease lease;
    EXPECT_TRUE(budget.extend(lease, 900, 0));
    EXPECT_FALSE(budget.extend(lease, 101, 0));
    EXPECT_TRUE(budget.extend(lease, 100, 0));
}

TEST(ByteBudget, TheSpareShareIsKeptFree) {
    ByteBudget budget(1000);
    ByteBudget::Lease lease;
    EXPECT_FALSE(budget.extend(lease, 851, 15));
    EXPECT_TRUE(budget.extend(lease, 850, 15));
    EXPECT_FALSE(budget.extend(lease, 1, 15));
    EXPECT_TRUE(budget.extend(lease, 100, 5));
    EXPECT_FALSE(budget.extend(lease, 1, 5));
    EXPECT_TRUE(budget.extend(lease, 50, 0));
}

TEST(ByteBudget, ASmallOneIsNotRoundedToNothing) {
    ByteBudget budget(50);
    ByteBudget::Lease lease;
    EXPECT_TRUE(budget.extend(lease, 40, 5));
}

TEST(ByteBudget, ASmallerOneWaitsForWhatIsHeldAlready) {
    ByteBudget budget(1000);
    ByteBudget::Lease held;
    EXPECT_TRUE(budget.extend(held, 800, 0));
    budget.configure(500);
    ByteBudget::Lease more;
    EXPECT_FALSE(budget.extend(more, 1, 0));
    EXPECT_FALSE(budget.has_room(1, 0));
    held = {};
    EXPECT_TRUE(budget.extend(more, 500, 0));
    EXPECT_FALSE(budget.extend(more, 1, 0));
}

TEST(ByteBudget, RoomIsSaidWithoutTakingIt) {
    ByteBudget budget(1000);
    EXPECT_TRUE(budget.has_room(950, 5));
    EXPECT_TRUE(budget.has_room(950, 5));
    EXPECT_FALSE(budget.has_room(951, 5));
    EXPECT_FALSE(budget.has_room(std::numeric_limits<std::uint64_t>::max(), 0));
    ByteBudget::Lease lease;
    EXPECT_TRUE(budget.extend(lease, 980, 0));
    EXPECT_FALSE(budget.has_room(0, 5)) << "more is held than this one may use";
    EXPECT_TRUE(budget.has_room(20, 0));
}

TEST(ByteBudget, AMovedLeaseIsGivenBackOnce) {
    ByteBudget budget(100);
    {
        ByteBudget::Lease first;
        EXPECT_TRUE(budget.extend(first, 60, 0));
        ByteBudget::Lease second(std::move(first));
        ByteBudget::Lease third;
        EXPECT_TRUE(budget.extend(third, 40, 0));
        third = std::move(second);
    }
    EXPECT_TRUE(budget.has_room(100, 0));
    EXPECT_FALSE(budget.has_room(101, 0));
}

TEST(ByteBudget, ManyThreadsNeverHoldMoreThanTheLimit) {
    ByteBudget budget(100);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&budget] {
            for (int i = 0; i < 10000; ++i) {
                ByteBudget::Lease lease;
                (void)budget.extend(lease, 30, 0);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_TRUE(budget.has_room(100, 0)) << "something was not given back";
    EXPECT_FALSE(budget.has_room(101, 0)) << "something was given back twice";
}

}  // namespace
}  // namespace ollama_proxy::access
