#include "router/swap_cost.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

struct Row {
    double bytes, room, in_use, cost;
};

TEST(SwapCost, IsTheShareThatFitsOnlyWhereAModelInUseIs) {
    constexpr Row kRows[] = {
        {2, 8, 0, 0},     // nothing is in use
        {2, 8, 6, 0},     // it just fits beside
        {4, 8, 6, 0.5},   // half of it does
        {4, 8, 8, 1},     // nothing does
        {4, 8, 20, 1},    // more is in use than the room that is known
        {16, 8, 0, 0},    // too large for the room, but it drives nobody out
        {16, 8, 8, 0.5},  // it takes all of the room, and that is half of it
        {0, 8, 8, 0},     // size not known
    };
    for (const Row& row : kRows) {
        EXPECT_DOUBLE_EQ(swap_cost(row.bytes, row.room, row.in_use), row.cost)
            << row.bytes << " " << row.room << " " << row.in_use;
    }
}

}  // namespace
}  // namespace ollama_proxy::router
