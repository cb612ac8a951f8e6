#include "efficiency/mode_decider.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::efficiency {
namespace {

using config::Mode;
using std::chrono::seconds;

constexpr ModeDecider::Wishes kAuto{Mode::automatic, false, false};

class ModeDeciderTest : public testing::Test {
  protected:
    ModeDeciderTest() {
        around.on_battery = true;
        around.battery_percent = 60;
        around.heat = Heat::normal;
        around.hottest_c = 50;
    }
    ModeDecider::Outcome look(const ModeDecider::Wishes& wishes = kAuto) {
        return decider.look(wishes, around, now);
    }
    void heat(Heat level, double celsius) {
        around.heat = level;
        around.hottest_c = celsius;
    }
    /// Begins in Auto on a half full battery: Balanced.
    void begin() { ASSERT_EQ(look().effective, Mode::balanced); }

    ModeDecider decider;
    Surroundings around;
    TimePoint now{std::chrono::hours(1)};
};

TEST_F(ModeDeciderTest, TheFirstLookTakesEffectAtOnce) {
    around.battery_percent = 15;
    EXPECT_EQ(look().effective, Mode::ultra_efficiency);
    EXPECT_EQ(look().reason, "battery-15");
    EXPECT_EQ(look().look_again, kNever);
}

TEST_F(ModeDeciderTest, ANewStateMustLastFiveSeconds) {
    begin();
    around.battery_percent = 49;
    EXPECT_EQ(look().effective, Mode::balanced);
    EXPECT_EQ(look().look_again, now + kDwell);
    now += kDwell - Milliseconds(1);
    EXPECT_EQ(look().effective, Mode::balanced);
    now += Milliseconds(1);
    const auto outcome = look();
    EXPECT_EQ(outcome.effective, Mode::efficiency);
    EXPECT_EQ(outcome.reason, "battery-49");
    EXPECT_EQ(outcome.look_again, kNever);
}

TEST_F(ModeDeciderTest, AStateThatDoesNotLastLeavesNothingBehind) {
    begin();
    around.battery_percent = 19;
    EXPECT_EQ(look().effective, Mode::balanced);
    now += seconds(2);
    around.battery_percent = 60;
    EXPECT_EQ(look().look_again, kNever);
    now += seconds(60);
    around.battery_percent = 52;  // below 55, but Efficiency never applied
    (void)look();
    now += seconds(60);
    EXPECT_EQ(look().effective, Mode::balanced);
}

TEST_F(ModeDeciderTest, AnotherNewStateBeginsTheFiveSecondsAgain) {
    begin();
    around.battery_percent = 49;
    (void)look();
    now += seconds(4);
    around.battery_percent = 19;
    (void)look();
    now += seconds(4);
    EXPECT_EQ(look().effective, Mode::balanced);
    now += seconds(1);
    EXPECT_EQ(look().effective, Mode::ultra_efficiency);
}

TEST_F(ModeDeciderTest, BatteryBandsHoldUntilTheyAreClearlyLeft) {
    around.battery_percent = 15;
    (void)look();
    const auto settle = [&](double percent) {
        around.battery_percent = percent;
        (void)look();
        now += kDwell;
        return look().effective;
    };
    EXPECT_EQ(settle(29), Mode::ultra_efficiency);
    EXPECT_EQ(settle(31), Mode::efficiency);
    EXPECT_EQ(settle(54), Mode::efficiency);
    EXPECT_EQ(settle(55), Mode::balanced);
    EXPECT_EQ(settle(51), Mode::balanced);
}

TEST_F(ModeDeciderTest, TheReasonFollowsTheBatteryWithoutAChangeOfMode) {
    around.battery_percent = 42;
    EXPECT_EQ(look().reason, "battery-42");
    around.battery_percent = 41;
    EXPECT_EQ(look().reason, "battery-41");
}

TEST_F(ModeDeciderTest, PluggingInAndOutTakesEffectAtOnce) {
    begin();
    around.on_battery = false;
    around.battery_percent = 85;
    EXPECT_EQ(look().effective, Mode::performance);
    EXPECT_EQ(look().reason, "ac-connected");
    around.on_battery = true;
    around.battery_percent = 40;
    EXPECT_EQ(look().effective, Mode::efficiency);
}

TEST_F(ModeDeciderTest, APowerProfileMustLastToo) {
    begin();
    around.profile = PowerProfile::power_saver;
    EXPECT_EQ(look().effective, Mode::balanced);
    now += kDwell;
    EXPECT_EQ(look().effective, Mode::efficiency);
    EXPECT_EQ(look().reason, "power-profile");
}

TEST_F(ModeDeciderTest, HighHeatMakesAutoQuietAtOnceUntilItHasRecovered) {
    begin();
    heat(Heat::high, 87);
    EXPECT_EQ(look().effective, Mode::quiet);
    EXPECT_EQ(look().reason, "thermal-high-87");
    heat(Heat::warm, 80);
    now += seconds(60);
    EXPECT_EQ(look().effective, Mode::quiet);
    EXPECT_EQ(look().reason, "thermal-high-87");
    heat(Heat::normal, 74);
    EXPECT_EQ(look().effective, Mode::balanced);
    EXPECT_EQ(look().reason, "battery-60");
}

TEST_F(ModeDeciderTest, HighHeatLeavesAModeSetByHandAlone) {
    const ModeDecider::Wishes performance{Mode::performance, false, false};
    (void)look(performance);
    heat(Heat::high, 87);
    EXPECT_EQ(look(performance).effective, Mode::performance);
    EXPECT_EQ(look(performance).reason, "user");
}

TEST_F(ModeDeciderTest, CriticalHeatOverridesEveryModeUntilItHasRecovered) {
    for (const Mode mode : {Mode::performance, Mode::balanced, Mode::automatic, Mode::quiet}) {
        decider = {};
        const ModeDecider::Wishes wishes{mode, false, false};
        heat(Heat::normal, 50);
        const Mode before = look(wishes).effective;
        heat(Heat::critical, 91);
        EXPECT_EQ(look(wishes).effective, Mode::ultra_efficiency);
        EXPECT_EQ(look(wishes).reason, "thermal-critical-91");
        heat(Heat::high, 87);  // cooler, not recovered
        EXPECT_EQ(look(wishes).effective, Mode::ultra_efficiency);
        heat(Heat::normal, 70);
        EXPECT_EQ(look(wishes).effective, before);
    }
}

TEST_F(ModeDeciderTest, NoTemperatureIsNotCoolButDoesNotHoldForEver) {
    begin();
    heat(Heat::high, 87);
    (void)look();
    around.heat = Heat::unknown;
    around.hottest_c.reset();
    EXPECT_EQ(look().effective, Mode::quiet);
    EXPECT_EQ(look().look_again, now + kUnknownHeatHold);
    now += kUnknownHeatHold;
    EXPECT_EQ(look().effective, Mode::balanced);
    EXPECT_EQ(look().look_again, kNever);
}

TEST_F(ModeDeciderTest, AnAlmostEmptyBatteryKeepsUltraEfficiencyInTheHeat) {
    around.battery_percent = 10;
    (void)look();
    heat(Heat::high, 87);
    EXPECT_EQ(look().effective, Mode::ultra_efficiency);
}

TEST_F(ModeDeciderTest, AModeSetByHandAppliesAtOnceAndIgnoresBatteryProfileAndQuietHours) {
    begin();
    around.battery_percent = 10;
    around.profile = PowerProfile::power_saver;
    const auto outcome = look({Mode::performance, true, true});
    EXPECT_EQ(outcome.effective, Mode::performance);
    EXPECT_EQ(outcome.reason, "user");
}

TEST_F(ModeDeciderTest, SwitchingToAutoAppliesAtOnce) {
    (void)look({Mode::performance, false, true});
    around.battery_percent = 42;
    EXPECT_EQ(look({Mode::automatic, false, true}).effective, Mode::efficiency);
}

TEST_F(ModeDeciderTest, QuietHoursBeginAfterTheDwell) {
    begin();
    const ModeDecider::Wishes quiet{Mode::automatic, true, false};
    EXPECT_EQ(look(quiet).effective, Mode::balanced);
    now += kDwell;
    EXPECT_EQ(look(quiet).effective, Mode::quiet);
    EXPECT_EQ(look(quiet).reason, "quiet-hours");
}

}  // namespace
}  // namespace ollama_proxy::efficiency
