#include "ollama_proxy/efficiency/state.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::efficiency {
namespace {

monitors::SystemSnapshot reading() {
    monitors::SystemSnapshot snapshot;
    snapshot.taken_at = Clock::now();
    return snapshot;
}

TEST(Surroundings, OfASnapshotFromBeforeTheFirstReadingAreUnknown) {
    EXPECT_EQ(surroundings_of({}), Surroundings{});
}

TEST(Surroundings, OfAMachineWithoutABatteryAreMains) {
    EXPECT_EQ(surroundings_of(reading()).on_battery, false);
}

TEST(Surroundings, KeepABatteryThatDoesNotSayWhatItDoesUnknown) {
    auto snapshot = reading();
    snapshot.power.battery = monitors::Battery{60, {}, {}};
    EXPECT_FALSE(surroundings_of(snapshot).on_battery);
    EXPECT_EQ(surroundings_of(snapshot).battery_percent, 60);
}

TEST(Surroundings, TakeOverBatteryHeatAndProfile) {
    auto snapshot = reading();
    snapshot.power.on_battery = true;
    snapshot.power.battery = monitors::Battery{15, 20, 9};
    snapshot.cpu_temperature_c = 70;
    snapshot.thermal.hottest_c = 87;
    snapshot.thermal.state = monitors::ThermalState::high;
    snapshot.external.power_profile = "power-saver";
    const Surroundings around = surroundings_of(snapshot);
    EXPECT_EQ(around.on_battery, true);
    EXPECT_EQ(around.battery_percent, 15);
    EXPECT_EQ(around.cpu_c, 70);
    EXPECT_EQ(around.hottest_c, 87);
    EXPECT_EQ(around.heat, Heat::high);
    EXPECT_EQ(around.profile, PowerProfile::power_saver);
}

TEST(Surroundings, KnowEveryThermalState) {
    using monitors::ThermalState;
    auto snapshot = reading();
    EXPECT_EQ(surroundings_of(snapshot).heat, Heat::unknown);
    for (const auto& [state, heat] :
         {std::pair(ThermalState::normal, Heat::normal),
          std::pair(ThermalState::elevated, Heat::warm), std::pair(ThermalState::high, Heat::high),
          std::pair(ThermalState::critical, Heat::critical)}) {
        snapshot.thermal.state = state;
        EXPECT_EQ(surroundings_of(snapshot).heat, heat);
    }
}

TEST(Surroundings, KnowTheProfilesOfTheDaemonOnly) {
    auto snapshot = reading();
    snapshot.external.power_profile = "turbo";
    EXPECT_EQ(surroundings_of(snapshot).profile, PowerProfile::unknown);
    snapshot.external.power_profile = "performance";
    EXPECT_EQ(surroundings_of(snapshot).profile, PowerProfile::performance);
}

}  // namespace
}  // namespace ollama_proxy::efficiency
