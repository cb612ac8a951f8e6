#include "monitors/power_supply.hpp"

#include "fake_tree.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::monitors {
namespace {

const std::string kDir = "class/power_supply/";

FakeTree laptop() {
    FakeTree tree;
    tree.add(kDir + "AC", {{"type", "Mains"}, {"online", "0"}});
    tree.add(kDir + "BAT0", {{"type", "Battery"},
                             {"present", "1"},
                             {"status", "Discharging"},
                             {"capacity", "42"},
                             {"energy_now", "21000000"},
                             {"energy_full", "50000000"},
                             {"power_now", "10500000"}});
    return tree;
}

PowerSupply supply_of(FakeTree& tree) { return combine(read_supplies(tree)); }

TEST(PowerSupply, ALaptopThatDischargesTellsLevelDrawAndMinutes) {
    FakeTree tree = laptop();
    const PowerSupply supply = supply_of(tree);
    EXPECT_EQ(supply.ac, false);
    EXPECT_EQ(supply.on_battery, true);
    ASSERT_TRUE(supply.battery);
    EXPECT_DOUBLE_EQ(supply.battery->level.value(), 42);
    EXPECT_DOUBLE_EQ(supply.battery->watts.value(), 10.5);
    EXPECT_DOUBLE_EQ(supply.battery->minutes_left.value(), 120);
}

TEST(PowerSupply, PluggedInItHasNoMinutesLeft) {
    FakeTree tree = laptop();
    tree.set(kDir + "AC/online", "1");
    tree.set(kDir + "BAT0/status", "Charging");
    const PowerSupply supply = supply_of(tree);
    EXPECT_EQ(supply.on_battery, false);
    EXPECT_DOUBLE_EQ(supply.battery->level.value(), 42);
    EXPECT_FALSE(supply.battery->minutes_left);
    EXPECT_FALSE(supply.battery->watts);
}

TEST(PowerSupply, TwoBatteriesCountByTheirSize) {
    FakeTree tree = laptop();
    tree.add(kDir + "BAT1", {{"type", "Battery"},
                             {"status", "Not charging"},
                             {"capacity", "100"},
                             {"energy_now", "25000000"},
                             {"energy_full", "25000000"},
                             {"power_now", "0"}});
    const PowerSupply supply = supply_of(tree);
    EXPECT_NEAR(supply.battery->level.value(), (21.0 + 25.0) / 75 * 100, 1e-9);
    EXPECT_NEAR(supply.battery->minutes_left.value(), 60 * 46 / 10.5, 1e-9);
}

TEST(PowerSupply, ABatteryThatCountsChargeIsTurnedIntoWatts) {
    FakeTree tree;
    tree.add(kDir + "BAT0", {{"type", "Battery"},
                             {"status", "Discharging"},
                             {"capacity", "50"},
                             {"charge_now", "2000000"},
                             {"charge_full", "4000000"},
                             {"voltage_now", "12000000"},
                             {"current_now", "-1000000"}});
    const PowerSupply supply = supply_of(tree);
    EXPECT_EQ(supply.on_battery, true);
    EXPECT_DOUBLE_EQ(supply.battery->watts.value(), 12);
    EXPECT_DOUBLE_EQ(supply.battery->minutes_left.value(), 120);
}

TEST(PowerSupply, TheBatteryOfAMouseDoesNotCount) {
    FakeTree tree;
    tree.add(
        kDir + "hidpp_battery_0",
        {{"type", "Battery"}, {"scope", "Device"}, {"capacity", "5"}, {"status", "Discharging"}});
    const PowerSupply supply = supply_of(tree);
    EXPECT_FALSE(supply.battery);
    EXPECT_FALSE(supply.on_battery);
}

TEST(PowerSupply, AMachineWithoutAnyIsNotKnownToRunOnABattery) {
    FakeTree tree;
    const PowerSupply supply = supply_of(tree);
    EXPECT_FALSE(supply.ac);
    EXPECT_FALSE(supply.battery);
    EXPECT_FALSE(supply.on_battery);
}

TEST(PowerSupply, ADesktopWithAnEmptyUsbPortDoesNotRunOnABattery) {
    FakeTree tree;
    tree.add(kDir + "ucsi-source-psy-USBC000:001", {{"type", "USB"}, {"online", "0"}});
    EXPECT_EQ(supply_of(tree).on_battery, false);
}

TEST(PowerSupply, MainsDecidesWhereBothAreThere) {
    FakeTree tree = laptop();
    tree.set(kDir + "AC/online", "1");
    tree.add(kDir + "ucsi-source-psy-USBC000:001", {{"type", "USB"}, {"online", "0"}});
    EXPECT_EQ(supply_of(tree).on_battery, false);
    tree.set(kDir + "AC/online", "0");
    tree.set(kDir + "ucsi-source-psy-USBC000:001/online", "1");
    EXPECT_EQ(supply_of(tree).on_battery, true);
}

TEST(PowerSupply, UsbPowerCountsWhereThereIsNoMains) {
    FakeTree tree = laptop();
    tree.remove(kDir + "AC");
    tree.add(kDir + "ucsi", {{"type", "USB"}, {"online", "1"}});
    EXPECT_EQ(supply_of(tree).on_battery, false);
}

TEST(PowerSupply, GarbageIsNotKnownAndNeverZero) {
    for (const char* garbage : {"", "-1", "9999999", "abc", "12x", "1e3"}) {
        FakeTree tree = laptop();
        tree.remove(kDir + "BAT0/energy");
        tree.set(kDir + "BAT0/capacity", garbage);
        const PowerSupply supply = supply_of(tree);
        ASSERT_TRUE(supply.battery) << garbage;
        EXPECT_FALSE(supply.battery->level) << garbage;
    }
}

TEST(PowerSupply, AnAdapterThatTalksNonsenseIsNoneAndTheBatterySaysWhatItDoes) {
    for (const char* garbage : {"", "-1", "3", "9999999", "yes"}) {
        FakeTree tree = laptop();
        tree.set(kDir + "AC/online", garbage);
        EXPECT_FALSE(supply_of(tree).ac) << garbage;
        EXPECT_EQ(supply_of(tree).on_battery, true) << garbage;
        tree.set(kDir + "BAT0/status", "Charging");
        EXPECT_EQ(supply_of(tree).on_battery, false) << garbage;
        tree.set(kDir + "BAT0/status", garbage);
        EXPECT_FALSE(supply_of(tree).on_battery) << garbage;
    }
}

TEST(PowerSupply, AFailingFileLeavesTheRestKnown) {
    FakeTree tree = laptop();
    tree.fail(kDir + "BAT0/capacity", EIO);
    tree.fail(kDir + "BAT0/power_now", ENODATA);
    const PowerSupply supply = supply_of(tree);
    EXPECT_DOUBLE_EQ(supply.battery->level.value(), 42);  // from energy_now and energy_full
    EXPECT_FALSE(supply.battery->watts);
    EXPECT_FALSE(supply.battery->minutes_left);
    EXPECT_EQ(supply.on_battery, true);
}

}  // namespace
}  // namespace ollama_proxy::monitors
