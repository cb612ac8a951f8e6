#include "router/wait_or_next.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

/// Balanced, two backends: the best is full, the next is slower.
class WaitOrNextTest : public testing::Test {
  protected:
    WaitOrNextTest() {
        decision_.reason = Reason::mode_name;
        decision_.weights[0] = 1.5;
        best_.index = 0;
        best_.terms[0] = 1.5 * 400 / (400 + 150);
        best_.score = 3;
        next_.index = 1;
        next_.score = 2.5;
        facts_.latency_ms = 150;
    }
    [[nodiscard]] bool takes_next(std::optional<Clock::duration> expected,
                                  Clock::duration waited = {}) const {
        WaitOrNext choice(decision_, waited);
        EXPECT_TRUE(choice.worth_taking(best_)) << "the best itself always is";
        choice.found_full(best_, facts_, expected);
        return choice.worth_taking(next_);
    }

    Decision decision_;
    RankedCandidate best_;
    RankedCandidate next_;
    CandidateFacts facts_;
};

TEST_F(WaitOrNextTest, AShortWaitForTheBestBeatsTheNext) {
    EXPECT_FALSE(takes_next(Milliseconds(50)));
}

TEST_F(WaitOrNextTest, ALongWaitForTheBestDoesNot) { EXPECT_TRUE(takes_next(Milliseconds(2000))); }

TEST_F(WaitOrNextTest, TheBreakEvenIsWhereTheScoresWithTheWaitMeet) {
    // 1.5 x 400 / (400 + 150 + w) must fall by 0.5: from 1.0909 to 0.5909, so w is 465.4 ms
    EXPECT_FALSE(takes_next(Milliseconds(465)));
    EXPECT_TRUE(takes_next(Milliseconds(466)));
}

TEST_F(WaitOrNextTest, NobodyWaitsForWhatIsNotKnown) { EXPECT_TRUE(takes_next(std::nullopt)); }

TEST_F(WaitOrNextTest, AnExpectationThatTurnedOutWrongCountsNoLonger) {
    EXPECT_FALSE(takes_next(Milliseconds(50), Milliseconds(100)));
    EXPECT_TRUE(takes_next(Milliseconds(50), Milliseconds(101)));
}

TEST_F(WaitOrNextTest, ARelaxedLimitTakesTheNextInOrder) {
    decision_.reason = Reason::mode_relaxed;
    EXPECT_TRUE(takes_next(Milliseconds(1)));
    decision_.reason = Reason::latency_relaxed;
    EXPECT_TRUE(takes_next(Milliseconds(1)));
}

TEST_F(WaitOrNextTest, WithoutAKnownLatencyTheWaitAloneCounts) {
    facts_.latency_ms = 0;
    EXPECT_FALSE(takes_next(Milliseconds(10)));
    EXPECT_TRUE(takes_next(Milliseconds(5000)));
}

TEST(ExpectedWait, CountsThoseBeforeItAtThePaceOfTheSlots) {
    Occupancy occupancy;
    EXPECT_FALSE(expected_wait(occupancy, 4, Priority::normal)) << "nothing came back yet";
    occupancy.usual_hold = Milliseconds(800);
    EXPECT_EQ(expected_wait(occupancy, 4, Priority::normal), Milliseconds(200));
    occupancy.waiting = {5, 2, 1, 0};
    EXPECT_EQ(expected_wait(occupancy, 4, Priority::normal), Milliseconds(800));
    EXPECT_EQ(expected_wait(occupancy, 4, Priority::critical), Milliseconds(200));
}

}  // namespace
}  // namespace ollama_proxy::router
