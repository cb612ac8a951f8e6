#include "ollama_proxy/upstream/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::upstream {
namespace {

using namespace std::chrono_literals;

class CircuitBreakerTest : public testing::Test {
  protected:
    config::CircuitBreaker settings;
    CircuitBreaker breaker{settings};
    TimePoint now{1h};

    void fail(int times) {
        for (int i = 0; i < times; ++i) {
            ASSERT_TRUE(breaker.try_acquire(now)) << "failure " << i;
            breaker.on_failure(now);
        }
    }
    void succeed(int times) {
        for (int i = 0; i < times; ++i) {
            ASSERT_TRUE(breaker.try_acquire(now)) << "success " << i;
            breaker.on_success(now);
        }
    }
    [[nodiscard]] BreakerState state() const { return breaker.state(now); }
};

TEST_F(CircuitBreakerTest, StaysClosedBelowTheLimits) {
    fail(4);
    succeed(1);
    fail(4);
    EXPECT_EQ(state(), BreakerState::closed) << "not five in a row, not twenty requests";
    EXPECT_TRUE(breaker.would_allow(now));
}

TEST_F(CircuitBreakerTest, OpensAtFiveInARow) {
    fail(5);
    EXPECT_EQ(state(), BreakerState::open);
    EXPECT_FALSE(breaker.would_allow(now));
    EXPECT_FALSE(breaker.try_acquire(now));
    EXPECT_EQ(breaker.retry_at(), now + 5s);
}

TEST_F(CircuitBreakerTest, OpensAtHalfOfTwentyInTheWindow) {
    for (int i = 0; i < 9; ++i) {
        succeed(1);
        fail(1);
    }
    succeed(1);
    EXPECT_EQ(state(), BreakerState::closed);
    fail(1);  // 10 of 20
    EXPECT_EQ(state(), BreakerState::open);
}

TEST_F(CircuitBreakerTest, ForgetsWhatIsOlderThanTheWindow) {
    for (int i = 0; i < 9; ++i) {
        succeed(1);
        fail(1);
    }
    EXPECT_GT(breaker.error_share(now), 0.3);
    now += 31s;
    EXPECT_EQ(breaker.error_share(now), 0);
    succeed(1);
    fail(1);
    EXPECT_EQ(state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, KeepsWhatIsYoungerThanTheWindow) {
    for (int i = 0; i < 9; ++i) {
        succeed(1);
        fail(1);
    }
    now += 25s;
    succeed(1);
    fail(1);
    EXPECT_EQ(state(), BreakerState::open);
}

TEST_F(CircuitBreakerTest, LetsOneRequestProbeWhenItsTimeHasCome) {
    fail(5);
    now += 5s - 1ms;
    EXPECT_FALSE(breaker.would_allow(now));
    now += 1ms;
    EXPECT_EQ(state(), BreakerState::half_open);
    EXPECT_TRUE(breaker.would_allow(now));
    EXPECT_TRUE(breaker.would_allow(now)) << "asking takes nothing";
    EXPECT_TRUE(breaker.try_acquire(now));
    EXPECT_FALSE(breaker.would_allow(now));
    EXPECT_FALSE(breaker.try_acquire(now));
}

TEST_F(CircuitBreakerTest, ComesBackSlowly) {
    fail(5);
    now += 5s;
    succeed(1);
    EXPECT_EQ(state(), BreakerState::half_open);
    EXPECT_TRUE(breaker.try_acquire(now));
    EXPECT_TRUE(breaker.try_acquire(now));
    EXPECT_FALSE(breaker.try_acquire(now)) << "two after the first success";
    breaker.on_success(now);
    EXPECT_EQ(state(), BreakerState::half_open);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(breaker.try_acquire(now)) << "four in all";
    EXPECT_FALSE(breaker.try_acquire(now));
    breaker.on_success(now);
    EXPECT_EQ(state(), BreakerState::closed);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(breaker.try_acquire(now));
}

TEST_F(CircuitBreakerTest, BeginsAgainWithOneProbeAfterARelapse) {
    fail(5);
    now += 5s;
    succeed(2);
    fail(1);
    ASSERT_EQ(state(), BreakerState::open);
    now = breaker.retry_at();
    ASSERT_TRUE(breaker.try_acquire(now));
    EXPECT_FALSE(breaker.try_acquire(now));
    breaker.on_success(now);
    succeed(1);
    EXPECT_EQ(state(), BreakerState::half_open) << "the old successes do not count";
    succeed(1);
    EXPECT_EQ(state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, DoublesTheOpenTimeUpToItsLimit) {
    fail(5);
    Clock::duration expected = 5s;
    for (int round = 0; round < 6; ++round) {
        EXPECT_EQ(breaker.retry_at() - now, expected) << "round " << round;
        now = breaker.retry_at();
        fail(1);
        EXPECT_EQ(state(), BreakerState::open);
        expected = std::min<Clock::duration>(expected * 2, 60s);
    }
    EXPECT_EQ(breaker.retry_at() - now, 60s);
}

TEST_F(CircuitBreakerTest, GoesOnDoublingForABackendThatFlaps) {
    fail(5);
    now += 5s;
    succeed(3);
    ASSERT_EQ(state(), BreakerState::closed);
    now += 1s;
    fail(5);
    EXPECT_EQ(breaker.retry_at() - now, 10s);
}

TEST_F(CircuitBreakerTest, StartsAnewAfterALongGoodTime) {
    fail(5);
    now += 5s;
    fail(1);  // 10 s now
    now += 10s;
    succeed(3);
    now += 30s;
    fail(5);
    EXPECT_EQ(breaker.retry_at() - now, 5s);
}

TEST_F(CircuitBreakerTest, DoesNotReopenForFailuresAlreadyJudged) {
    for (int i = 0; i < 4; ++i) {
        succeed(1);
        fail(4);
    }
    ASSERT_EQ(state(), BreakerState::open) << "16 of 20";
    now += 5s;
    succeed(3);
    fail(1);
    EXPECT_EQ(state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, GivesAProbeBackWithoutAVerdict) {
    fail(5);
    now += 5s;
    ASSERT_TRUE(breaker.try_acquire(now));
    breaker.on_cancelled(now);
    EXPECT_EQ(state(), BreakerState::half_open);
    EXPECT_TRUE(breaker.try_acquire(now));
    EXPECT_FALSE(breaker.try_acquire(now)) << "still only one at a time";
}

TEST_F(CircuitBreakerTest, DoesNotCountCancelledRequests) {
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(breaker.try_acquire(now));
        breaker.on_cancelled(now);
    }
    EXPECT_EQ(breaker.error_share(now), 0);
    fail(4);
    ASSERT_TRUE(breaker.try_acquire(now));
    breaker.on_cancelled(now);
    EXPECT_EQ(state(), BreakerState::closed);
    fail(1);
    EXPECT_EQ(state(), BreakerState::open) << "a cancelled request does not break a row";
}

TEST_F(CircuitBreakerTest, SurvivesAProbeWhoseVerdictNeverComes) {
    fail(5);
    now += 5s;
    ASSERT_TRUE(breaker.try_acquire(now));
    now += 59s;
    EXPECT_FALSE(breaker.would_allow(now));
    now += 1s;
    EXPECT_TRUE(breaker.try_acquire(now));
    EXPECT_FALSE(breaker.try_acquire(now));
}

TEST_F(CircuitBreakerTest, IgnoresLateVerdictsWhileOpen) {
    ASSERT_TRUE(breaker.try_acquire(now));
    ASSERT_TRUE(breaker.try_acquire(now));
    fail(5);
    const TimePoint before = breaker.retry_at();
    now += 1s;
    breaker.on_failure(now);
    EXPECT_EQ(breaker.retry_at(), before) << "a late failure does not lengthen it";
    breaker.on_success(now);
    EXPECT_EQ(state(), BreakerState::open) << "a late success does not close it";
    now = before;
    EXPECT_TRUE(breaker.try_acquire(now));
    EXPECT_FALSE(breaker.try_acquire(now)) << "nor does it widen the first probe";
}

TEST_F(CircuitBreakerTest, CountsErrorsWithAPrior) {
    EXPECT_EQ(breaker.error_share(now), 0);
    fail(1);
    EXPECT_DOUBLE_EQ(breaker.error_share(now), 1.0 / 6);
    succeed(4);
    EXPECT_DOUBLE_EQ(breaker.error_share(now), 1.0 / 10);
}

TEST(CircuitBreaker, FollowsItsSettings) {
    config::CircuitBreaker settings;
    settings.consecutive_failures = 2;
    settings.open = 100ms;
    settings.max_open = 150ms;
    CircuitBreaker breaker(settings);
    TimePoint now{1s};
    breaker.on_failure(now);
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    breaker.on_failure(now);
    EXPECT_EQ(breaker.retry_at(), now + 100ms);
    now += 100ms;
    ASSERT_TRUE(breaker.try_acquire(now));
    breaker.on_failure(now);
    EXPECT_EQ(breaker.retry_at(), now + 150ms);
}

TEST(CircuitBreaker, NamesItsStates) {
    EXPECT_EQ(to_string(BreakerState::closed), "closed");
    EXPECT_EQ(to_string(BreakerState::open), "open");
    EXPECT_EQ(to_string(BreakerState::half_open), "half-open");
}

}  // namespace
}  // namespace ollama_proxy::upstream
