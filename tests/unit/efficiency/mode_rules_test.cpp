#include "efficiency/mode_rules.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::efficiency {
namespace {

using config::Mode;
using config::QuietHours;
using std::chrono::hours;
using std::chrono::seconds;

Surroundings on_battery(double percent) {
    Surroundings around;
    around.on_battery = true;
    around.battery_percent = percent;
    return around;
}

Surroundings on_mains(std::optional<double> percent = {}) {
    Surroundings around;
    around.on_battery = false;
    around.battery_percent = percent;
    return around;
}

Verdict fresh(const Surroundings& around, bool quiet_now = false) {
    return auto_verdict(around, quiet_now, PowerBand::unknown);
}

TEST(AutoMode, IsUltraEfficiencyBelowTwentyPercentOnBattery) {
    EXPECT_EQ(fresh(on_battery(19)).effective, Mode::ultra_efficiency);
    EXPECT_EQ(fresh(on_battery(19)).reason, "battery-19");
    EXPECT_EQ(fresh(on_battery(20)).effective, Mode::efficiency);
}

TEST(AutoMode, LeavesUltraEfficiencyAtThirtyPercentOnly) {
    const auto after = [](double percent) {
        return auto_verdict(on_battery(percent), false, PowerBand::very_low).effective;
    };
    EXPECT_EQ(after(29), Mode::ultra_efficiency);
    EXPECT_EQ(after(30), Mode::efficiency);
}

TEST(AutoMode, IsEfficiencyBelowFiftyPercentOnBattery) {
    EXPECT_EQ(fresh(on_battery(42)).effective, Mode::efficiency);
    EXPECT_EQ(fresh(on_battery(42)).reason, "battery-42");
    EXPECT_EQ(fresh(on_battery(50)).effective, Mode::balanced);
}

TEST(AutoMode, LeavesEfficiencyAtFiftyFivePercentOnly) {
    for (const PowerBand before : {PowerBand::low, PowerBand::very_low}) {
        EXPECT_EQ(auto_verdict(on_battery(54), false, before).effective, Mode::efficiency);
        EXPECT_EQ(auto_verdict(on_battery(55), false, before).effective, Mode::balanced);
    }
}

TEST(AutoMode, IsPerformanceOnMainsWithAFullOrNoBattery) {
    EXPECT_EQ(fresh(on_mains()).effective, Mode::performance);
    EXPECT_EQ(fresh(on_mains(81)).effective, Mode::performance);
    EXPECT_EQ(fresh(on_mains(80)).effective, Mode::balanced);
    EXPECT_EQ(fresh(on_mains(5)).reason, "ac-connected");
}

TEST(AutoMode, ForgetsTheBatteryBandOnMains) {
    EXPECT_EQ(auto_verdict(on_mains(5), false, PowerBand::very_low).band, PowerBand::mains);
    EXPECT_EQ(auto_verdict(on_battery(25), false, PowerBand::mains).effective, Mode::efficiency);
}

TEST(AutoMode, IsBalancedWhenNothingIsKnown) {
    EXPECT_EQ(fresh({}).effective, Mode::balanced);
    EXPECT_EQ(fresh({}).reason, "power-unknown");
    Surroundings no_level;
    no_level.on_battery = true;
    EXPECT_EQ(fresh(no_level).effective, Mode::balanced);
    EXPECT_EQ(fresh(no_level).reason, "on-battery");
}

TEST(AutoMode, IsAtMostEfficiencyWithThePowerSaverProfile) {
    Surroundings around = on_mains();
    around.profile = PowerProfile::power_saver;
    EXPECT_EQ(fresh(around).effective, Mode::efficiency);
    EXPECT_EQ(fresh(around).reason, "power-profile");
    around = on_battery(10);
    around.profile = PowerProfile::power_saver;
    EXPECT_EQ(fresh(around).effective, Mode::ultra_efficiency);
    EXPECT_EQ(fresh(around).reason, "battery-10");
}

TEST(AutoMode, IsAtLeastBalancedWithThePerformanceProfile) {
    Surroundings around = on_battery(10);
    around.profile = PowerProfile::performance;
    EXPECT_EQ(fresh(around).effective, Mode::balanced);
    EXPECT_EQ(fresh(around).reason, "power-profile");
    around = on_mains();
    around.profile = PowerProfile::performance;
    EXPECT_EQ(fresh(around).effective, Mode::performance);
    EXPECT_EQ(fresh(around).reason, "ac-connected");
}

TEST(AutoMode, IsQuietInQuietHoursUnlessTheBatteryAsksForLess) {
    EXPECT_EQ(fresh(on_mains(), true).effective, Mode::quiet);
    EXPECT_EQ(fresh(on_mains(), true).reason, "quiet-hours");
    EXPECT_EQ(fresh(on_battery(42), true).effective, Mode::quiet);
    EXPECT_EQ(fresh(on_battery(10), true).effective, Mode::ultra_efficiency);
    Surroundings around = on_mains();
    around.profile = PowerProfile::performance;
    EXPECT_EQ(fresh(around, true).effective, Mode::quiet);
}

TEST(QuietHours, WrapAroundMidnight) {
    const QuietHours night{true, 22, 7};
    for (const unsigned hour : {22U, 23U, 0U, 6U}) EXPECT_TRUE(is_quiet_hour(night, hour)) << hour;
    for (const unsigned hour : {7U, 12U, 21U}) EXPECT_FALSE(is_quiet_hour(night, hour)) << hour;
}

TEST(QuietHours, MayLieInOneDayAndBeOffOrEmpty) {
    EXPECT_TRUE(is_quiet_hour({true, 9, 17}, 9));
    EXPECT_FALSE(is_quiet_hour({true, 9, 17}, 17));
    EXPECT_FALSE(is_quiet_hour({false, 22, 7}, 23));
    for (unsigned hour = 0; hour < 24; ++hour) EXPECT_FALSE(is_quiet_hour({true, 8, 8}, hour));
}

TEST(QuietHours, SayWhenTheyNextBeginOrEnd) {
    const QuietHours night{true, 22, 7};
    EXPECT_EQ(until_quiet_boundary(night, hours(21)), hours(1));
    EXPECT_EQ(until_quiet_boundary(night, hours(22)), hours(9));
    EXPECT_EQ(until_quiet_boundary(night, hours(7)), hours(15));
    EXPECT_EQ(until_quiet_boundary(night, hours(7) - seconds(1)), seconds(1));
    EXPECT_EQ(until_quiet_boundary({true, 8, 8}, hours(8)), hours(24));
}

}  // namespace
}  // namespace ollama_proxy::efficiency
