#include "router/hedge_budget.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

TEST(HedgeBudget, ACopyHasToBeEarned) {
    HedgeBudget budget;
    EXPECT_FALSE(budget.take());
    for (int i = 0; i < 19; ++i) budget.note_request(5);
    EXPECT_FALSE(budget.take());
    budget.note_request(5);
    EXPECT_TRUE(budget.take());
    EXPECT_FALSE(budget.take());
    budget.give_back();
    EXPECT_TRUE(budget.take());
}

TEST(HedgeBudget, CopiesStayWithinTheShareAndLittleIsSavedUp) {
    HedgeBudget budget;
    for (int i = 0; i < 100000; ++i) budget.note_request(5);
    int at_once = 0;
    while (budget.take()) ++at_once;
    EXPECT_EQ(at_once, HedgeBudget::kSaved);
    int copies = 0;
    for (int i = 0; i < 1000; ++i) {
        budget.note_request(5);
        copies += budget.take() ? 1 : 0;
    }
    EXPECT_EQ(copies, 50);
    for (int i = 0; i < 1000; ++i) {
        budget.note_request(0);
        EXPECT_FALSE(budget.take()) << "0 percent: never";
    }
}

}  // namespace
}  // namespace ollama_proxy::router
