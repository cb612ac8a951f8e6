#include "monitors/thermal_machine.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;

/// One processor, with the usual limits.
class Heat {
  public:
    ThermalFacts at(std::optional<double> celsius, std::optional<double> fan = {},
                    bool fresh = true) {
        const HeatInput input{"cpu", celsius, fresh, crit, fan};
        return machine.update(std::span(&input, 1), settings, celsius, {}, {});
    }
    ThermalState state(double celsius) { return at(celsius).state.value(); }

    config::Thermal settings;
    std::optional<double> crit;
    ThermalMachine machine;
};

TEST(ThermalMachine, StatesBeginAtTheirLimitsAtOnce) {
    for (const auto& [celsius, state] : {std::pair{79.9, ThermalState::normal},
                                         {80.0, ThermalState::elevated},
                                         {84.9, ThermalState::elevated},
                                         {85.0, ThermalState::high},
                                         {89.9, ThermalState::high},
                                         {90.0, ThermalState::critical},
                                         {120.0, ThermalState::critical}}) {
        Heat heat;
        EXPECT_EQ(heat.state(celsius), state) << celsius;
    }
}

TEST(ThermalMachine, AStateIsLeftOnlyUnderTheRecoveryTemperature) {
    Heat heat;
    EXPECT_EQ(heat.state(87), ThermalState::high);
    EXPECT_EQ(heat.state(82), ThermalState::high);
    EXPECT_EQ(heat.state(75), ThermalState::high);
    EXPECT_EQ(heat.state(74.9), ThermalState::normal);
}

TEST(ThermalMachine, TellsEachRiseAndTheRecoveryOnce) {
    Heat heat;
    EXPECT_EQ(heat.at(60).events, 0U);
    EXPECT_EQ(heat.at(86).last_event->kind, ThermalEventKind::high);
    EXPECT_EQ(heat.at(86).events, 1U);
    EXPECT_EQ(heat.at(91).last_event->kind, ThermalEventKind::critical);
    EXPECT_EQ(heat.at(60).last_event->kind, ThermalEventKind::recovery);
    EXPECT_EQ(heat.at(60).events, 3U);
}

TEST(ThermalMachine, WarmingUpQuicklyCountsAsElevatedEarly) {
    Heat heat;
    EXPECT_EQ(heat.state(75), ThermalState::normal);
    EXPECT_EQ(heat.state(76), ThermalState::normal);  // exactly 1
    EXPECT_EQ(heat.state(77.1), ThermalState::elevated);
    Heat cool;
    EXPECT_EQ(cool.state(60), ThermalState::normal);
    EXPECT_EQ(cool.state(70), ThermalState::normal);  // quick, but not above 75
}

TEST(ThermalMachine, ASensorThatKnowsItsLimitIsJudgedByItAfterThreeReadings) {
    Heat heat;
    heat.crit = 100;
    EXPECT_EQ(heat.state(92), ThermalState::elevated);
    EXPECT_EQ(heat.state(92), ThermalState::elevated);
    EXPECT_EQ(heat.state(92), ThermalState::high);
    EXPECT_EQ(heat.state(97), ThermalState::high);
    EXPECT_EQ(heat.state(97), ThermalState::high);
    EXPECT_EQ(heat.state(97), ThermalState::critical);
}

TEST(ThermalMachine, AReadingBelowBreaksTheRow) {
    Heat heat;
    heat.crit = 100;
    (void)heat.state(92);
    (void)heat.state(92);
    (void)heat.state(89);
    EXPECT_EQ(heat.state(92), ThermalState::elevated);
}

TEST(ThermalMachine, AnEarlierValueIsNoReading) {
    Heat heat;
    heat.crit = 100;
    (void)heat.at(92);
    (void)heat.at(92, {}, false);
    (void)heat.at(92, {}, false);
    EXPECT_EQ(heat.at(92, {}, false).state, ThermalState::elevated);
}

TEST(ThermalMachine, WhatIsConfiguredBeatsTheSensorsLimit) {
    Heat heat;
    heat.crit = 100;
    heat.settings.high = 70;
    heat.settings.elevated = 65;
    heat.settings.recovery = 60;
    heat.settings.configured = true;
    EXPECT_EQ(heat.state(71), ThermalState::high);
}

TEST(ThermalMachine, ALowCriticalLimitKeepsTheStatesInOrder) {
    const HeatLimits limits = heat_limits({}, 84);
    EXPECT_EQ(limits.critical, 81);
    EXPECT_EQ(limits.high, 74);
    EXPECT_LT(limits.elevated, limits.high);
    EXPECT_LT(limits.recovery, limits.elevated);
}

TEST(ThermalMachine, AFanThatStandsStillInTheHeatIsCritical) {
    Heat heat;
    EXPECT_FALSE(heat.at(85, 0).fan_stopped);  // not over 85
    const ThermalFacts facts = heat.at(86, 0);
    EXPECT_TRUE(facts.fan_stopped);
    EXPECT_EQ(facts.state, ThermalState::critical);
    EXPECT_EQ(facts.last_event->kind, ThermalEventKind::fan_stopped);
    EXPECT_EQ(heat.at(86, 0).events, facts.events);  // once
    EXPECT_FALSE(heat.at(60, 0).fan_stopped);
}

TEST(ThermalMachine, AnUnknownFanIsNotAStoppedOne) {
    Heat heat;
    EXPECT_FALSE(heat.at(87).fan_stopped);
    EXPECT_EQ(heat.at(87).state, ThermalState::high);
}

TEST(ThermalMachine, WithoutATemperatureNothingIsKnown) {
    Heat heat;
    EXPECT_FALSE(heat.at({}).state);
    (void)heat.at(86);
    const ThermalFacts lost = heat.at({});
    EXPECT_FALSE(lost.state);
    EXPECT_EQ(lost.last_event->kind, ThermalEventKind::high);  // unknown is not cool
    EXPECT_EQ(heat.at(60).last_event->kind, ThermalEventKind::recovery);
}

TEST(ThermalMachine, TheHotterOfTwoDecides) {
    ThermalMachine machine;
    const HeatInput inputs[] = {{"cpu", 60, true, {}, {}}, {"gpu", 88, true, {}, {}}};
    const ThermalFacts facts = machine.update(inputs, {}, 60, 88, {});
    EXPECT_EQ(facts.state, ThermalState::high);
    EXPECT_EQ(facts.hottest_c, 88);
    EXPECT_EQ(facts.last_event->gpu_c, 88);
}

TEST(ThrottleMark, IsSetOverTheLimitAndLeftTenSecondsUnderRecovery) {
    ThrottleMark mark;
    const TimePoint start{100s};
    EXPECT_FALSE(mark.update(85, 85, 75, false, start));
    EXPECT_TRUE(mark.update(86, 85, 75, false, start));
    EXPECT_TRUE(mark.update(74, 85, 75, false, start + 1s));
    EXPECT_TRUE(mark.update(74, 85, 75, false, start + 10s));
    EXPECT_FALSE(mark.update(74, 85, 75, false, start + 11s));
}

TEST(ThrottleMark, WarmingUpAgainStartsTheTenSecondsAnew) {
    ThrottleMark mark;
    const TimePoint start{100s};
    (void)mark.update(86, 85, 75, false, start);
    (void)mark.update(74, 85, 75, false, start + 1s);
    (void)mark.update(80, 85, 75, false, start + 8s);
    EXPECT_TRUE(mark.update(74, 85, 75, false, start + 12s));
    EXPECT_TRUE(mark.update(74, 85, 75, false, start + 21s));
    EXPECT_FALSE(mark.update(74, 85, 75, false, start + 22s));
}

TEST(ThrottleMark, FollowsWhatTheDeviceSaysOfItself) {
    ThrottleMark mark;
    const TimePoint start{100s};
    EXPECT_TRUE(mark.update(60, 85, 75, true, start));
    EXPECT_TRUE(mark.update(60, 85, 75, false, start + 5s));
    EXPECT_FALSE(mark.update(60, 85, 75, false, start + 15s));
}

TEST(ThrottleMark, UnknownDoesNotSetIt) {
    ThrottleMark mark;
    EXPECT_FALSE(mark.update({}, 85, 75, false, TimePoint{100s}));
}

}  // namespace
}  // namespace ollama_proxy::monitors
