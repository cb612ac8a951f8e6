#include "router/retry_budget.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ollama_proxy::router {
namespace {

TEST(RetryBudget, AllowsAShareOfWhatIsInFlightAndAFewAlways) {
    RetryBudget budget;
    std::vector<RetryBudget::Lease> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(budget.acquire(0, 20, 3));
        EXPECT_TRUE(held.back().granted());
    }
    EXPECT_FALSE(budget.acquire(0, 20, 3).granted());
    EXPECT_FALSE(budget.acquire(19, 20, 3).granted());
    EXPECT_TRUE(budget.acquire(20, 20, 3).granted()) << "20 % of 20 are four";
    held.pop_back();
    EXPECT_TRUE(budget.acquire(0, 20, 3).granted()) << "given back when it dies";
}

TEST(RetryBudget, WithNothingAllowedNobodyTriesAgain) {
    RetryBudget budget;
    EXPECT_FALSE(budget.acquire(1000, 0, 0).granted());
}

TEST(RetryBudget, ALeaseThatIsMovedIsGivenBackOnce) {
    RetryBudget budget;
    {
        auto one = budget.acquire(0, 0, 1);
        RetryBudget::Lease two = std::move(one);
        EXPECT_FALSE(one.granted());  // NOLINT(bugprone-use-after-move): that is the point
        EXPECT_TRUE(two.granted());
        EXPECT_FALSE(budget.acquire(0, 0, 1).granted());
    }
    EXPECT_TRUE(budget.acquire(0, 0, 1).granted());
}

TEST(RetryBudget, IsNeverOverdrawnByManyAtOnce) {
    RetryBudget budget;
    std::atomic<int> held{0};
    std::atomic<bool> overdrawn{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                const auto lease = budget.acquire(0, 0, 2);
                if (!lease.granted()) continue;
                if (++held > 2) overdrawn = true;
                --held;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(overdrawn);
    EXPECT_TRUE(budget.acquire(0, 0, 1).granted());
}

}  // namespace
}  // namespace ollama_proxy::router
