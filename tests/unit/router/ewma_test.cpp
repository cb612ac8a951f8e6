#include "router/ewma.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

constexpr HalfLife kHalf{20, std::chrono::hours(1)};
constexpr TimePoint kStart{std::chrono::hours(1000)};

TEST(Ewma, IsTheConfiguredValueUntilSomethingIsMeasured) {
    const Ewma mean;
    EXPECT_EQ(mean.with_prior(400), 400);
    EXPECT_FALSE(mean.measured());
}

TEST(Ewma, TheConfiguredValueCountsAsFiveObservations) {
    Ewma mean;
    mean.add(1000, kStart, {1e9, std::chrono::hours(1)});  // old ones count as much as new ones
    EXPECT_NEAR(mean.with_prior(400), (5 * 400 + 1000) / 6.0, 0.01);
    for (int i = 0; i < 4; ++i) mean.add(1000, kStart, {1e9, std::chrono::hours(1)});
    EXPECT_NEAR(mean.with_prior(400), 700, 0.01);
}

TEST(Ewma, MeasurementOutweighsTheConfiguredValueStepByStep) {
    Ewma mean;
    double last = 400;
    for (int i = 0; i < 100; ++i) {
        mean.add(1000, kStart, kHalf);
        const double value = mean.with_prior(400);
        EXPECT_GT(value, last);
        last = value;
    }
    EXPECT_NEAR(last, 1000, 10);
    EXPECT_EQ(mean.measured(), 1000);
}

TEST(Ewma, AfterTheHalfLifeInObservationsTheOldCountHalf) {
    Ewma mean;
    for (int i = 0; i < 500; ++i) mean.add(100, kStart, kHalf);
    for (int i = 0; i < 20; ++i) mean.add(200, kStart, kHalf);
    EXPECT_NEAR(*mean.measured(), 150, 1);
}

TEST(Ewma, APauseChangesNothingButMakesTheNextObservationCountMore) {
    Ewma steady;
    for (int i = 0; i < 20; ++i) steady.add(100, kStart, kHalf);
    Ewma paused = steady;
    steady.add(200, kStart, kHalf);
    const double before = paused.with_prior(400);
    paused.add(200, kStart + std::chrono::hours(2), kHalf);
    EXPECT_EQ(Ewma(paused).with_prior(0) < 200, true);
    EXPECT_GT(*paused.measured(), *steady.measured());
    EXPECT_NE(before, paused.with_prior(400));
}

TEST(Ewma, AfterAYearOneObservationIsStillNotAll) {
    Ewma mean;
    for (int i = 0; i < 50; ++i) mean.add(100, kStart, kHalf);
    mean.add(10000, kStart + std::chrono::hours(24 * 365), kHalf);
    EXPECT_GT(*mean.measured(), 100);
    EXPECT_LT(*mean.measured(), 6000);
}

TEST(Ewma, AClockThatStandsStillOrGoesBackIsNoTime) {
    Ewma mean;
    mean.add(100, kStart, kHalf);
    mean.add(100, kStart - std::chrono::hours(5), kHalf);
    EXPECT_DOUBLE_EQ(*mean.measured(), 100);
    EXPECT_LT(mean.weight, 2);
}

TEST(ErrorRate, OneFailureIsNotYetABadBackend) {
    ErrorRate errors;
    EXPECT_EQ(errors.share(kStart, kHalf), 0);
    errors.add(true, kStart, kHalf);
    EXPECT_NEAR(errors.share(kStart, kHalf), 1.0 / 6, 0.001);
    for (int i = 0; i < 100; ++i) errors.add(true, kStart, kHalf);
    EXPECT_GT(errors.share(kStart, kHalf), 0.8);
}

TEST(ErrorRate, HealsWithSuccessAndWithTime) {
    ErrorRate errors;
    for (int i = 0; i < 100; ++i) errors.add(true, kStart, kHalf);
    const double bad = errors.share(kStart, kHalf);
    EXPECT_LT(errors.share(kStart + std::chrono::hours(5), kHalf), bad / 4);
    for (int i = 0; i < 60; ++i) errors.add(false, kStart, kHalf);
    EXPECT_LT(errors.share(kStart, kHalf), bad / 4);
}

}  // namespace
}  // namespace ollama_proxy::router
