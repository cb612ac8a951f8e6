#include "monitors/energy_share.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

struct Device {
    EnergyShare share;
    EnergyJob a;
    EnergyJob b;
    Device() { a.configured_watts = b.configured_watts = 10; }
};

TEST(EnergyShare, WithoutReadingsTheConfiguredWattsTimesTheTimeCount) {
    Device d;
    d.share.begin(d.a, kStart);
    EXPECT_FALSE(d.share.end(d.a, kStart + 2s));
    EXPECT_DOUBLE_EQ(d.a.joules, 20);
}

TEST(EnergyShare, TwoAtOnceDrawTogetherWhatOneDraws) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.begin(d.b, kStart + 1s);
    d.share.end(d.a, kStart + 2s);
    d.share.end(d.b, kStart + 3s);
    EXPECT_DOUBLE_EQ(d.a.joules, 15);
    EXPECT_DOUBLE_EQ(d.b.joules, 15);
}

TEST(EnergyShare, TokensDecideWhoPays) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.begin(d.b, kStart);
    d.share.tokens(d.a, 30);
    d.share.tokens(d.b, 10);
    d.share.end(d.a, kStart + 4s);
    d.share.end(d.b, kStart + 4s);
    EXPECT_DOUBLE_EQ(d.a.joules, 30);
    EXPECT_DOUBLE_EQ(d.b.joules, 10);
}

TEST(EnergyShare, ARequestWithoutATokenYetPaysAsOneOfThosePresent) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.begin(d.b, kStart);
    d.share.tokens(d.a, 30);  // b's prompt is still being read
    d.share.count({}, kStart + 4s);
    EXPECT_DOUBLE_EQ(d.a.joules, 20);
    EXPECT_DOUBLE_EQ(d.b.joules, 20);
}

TEST(EnergyShare, WhoComesLaterBearsNothingOfWhatWasDrawnBefore) {
    Device d;
    EnergyJob c;
    c.configured_watts = 10;
    d.share.begin(d.a, kStart);
    d.share.begin(d.b, kStart + 1s);  // the first tells that nobody streams
    d.share.begin(c, kStart + 3s);
    d.share.end(d.b, kStart + 6s);
    d.share.end(d.a, kStart + 6s);
    d.share.end(c, kStart + 7s);
    EXPECT_DOUBLE_EQ(d.a.joules, 10 + 10 + 10);
    EXPECT_DOUBLE_EQ(d.b.joules, 10 + 10);
    EXPECT_DOUBLE_EQ(c.joules, 10 + 10);
}

TEST(EnergyShare, AStreamThatBeginsAmongSilentOnesPaysByItsTokensFromThenOn) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.begin(d.b, kStart);
    d.share.count({}, kStart + 2s);  // 10 each, evenly
    d.share.tokens(d.a, 10);
    d.share.tokens(d.b, 30);
    d.share.count({}, kStart + 6s);
    EXPECT_DOUBLE_EQ(d.a.joules, 10 + 10);
    EXPECT_DOUBLE_EQ(d.b.joules, 10 + 30);
    d.share.end(d.b, kStart + 6s);
    d.share.end(d.a, kStart + 8s);  // alone, and without a new token
    EXPECT_DOUBLE_EQ(d.a.joules, 20 + 20);
}

TEST(EnergyShare, ACounterReplacesTheGuess) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.count({}, kStart);
    d.share.count(50.0, kStart + 1s);
    EXPECT_DOUBLE_EQ(d.a.joules, 50);
    d.share.count(30.0, kStart + 2s);
    EXPECT_TRUE(d.share.end(d.a, kStart + 2s));
    EXPECT_DOUBLE_EQ(d.a.joules, 80);
}

TEST(EnergyShare, TheLastIntervalIsExtrapolated) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.count({}, kStart);
    d.share.count(50.0, kStart + 1s);
    d.share.end(d.a, kStart + 1500ms);
    EXPECT_DOUBLE_EQ(d.a.joules, 75);
}

TEST(EnergyShare, WhatIsDrawnWhileNothingRunsIsNobodys) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.count({}, kStart);
    d.share.count(50.0, kStart + 1s);
    d.share.end(d.a, kStart + 1s);
    d.share.begin(d.b, kStart + 101s);
    d.share.count(9000.0, kStart + 101s);  // includes the 100 s in between
    d.share.count(40.0, kStart + 102s);
    d.share.end(d.b, kStart + 102s);
    EXPECT_DOUBLE_EQ(d.a.joules, 50);
    EXPECT_DOUBLE_EQ(d.b.joules, 40);
}

TEST(EnergyShare, AShortRequestIsChargedByWhatItsDeviceDrewTheLastTime) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.count({}, kStart);
    d.share.count(50.0, kStart + 1s);
    d.share.end(d.a, kStart + 1s);
    d.share.begin(d.b, kStart + 5s);
    EXPECT_TRUE(d.share.end(d.b, kStart + 5100ms));
    EXPECT_NEAR(d.b.joules, 5, 1e-9);
}

TEST(EnergyShare, OneThatEndedBetweenReadingsIsNotPaidForByTheOther) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.begin(d.b, kStart);
    d.share.count({}, kStart);
    d.share.count(100.0, kStart + 1s);  // 100 W from now on
    d.share.end(d.a, kStart + 1500ms);
    EXPECT_DOUBLE_EQ(d.a.joules, 75);
    d.share.count(100.0, kStart + 2s);
    d.share.end(d.b, kStart + 2s);
    EXPECT_DOUBLE_EQ(d.b.joules, 125);
}

TEST(EnergyShare, PowerIsIntegrated) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.power(20, kStart);
    d.share.power(40, kStart + 2s);
    EXPECT_TRUE(d.share.end(d.a, kStart + 2s));
    EXPECT_DOUBLE_EQ(d.a.joules, 60);
}

TEST(EnergyShare, ACounterThatStandsStillChargesNothing) {
    Device d;
    d.share.begin(d.a, kStart);
    d.share.count({}, kStart);
    d.share.count(0.0, kStart + 1s);
    d.share.end(d.a, kStart + 2s);
    EXPECT_DOUBLE_EQ(d.a.joules, 0);
}

}  // namespace
}  // namespace ollama_proxy::monitors
