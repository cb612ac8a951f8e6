#include "fake_tree.hpp"
#include "monitors/assembler.hpp"
#include "monitors/readings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;

config::Backend backend(const std::string& id, config::Hardware hardware) {
    config::Backend out;
    out.id = id;
    out.hardware = hardware;
    return out;
}

/// A machine that is looked at every 5 s.
class Machine {
  public:
    explicit Machine(test::MachineTree kernel) : tree(std::move(kernel)) {
        config.backends = {
            backend("npu", config::Hardware::npu), backend("igpu", config::Hardware::igpu),
            backend("nvidia", config::Hardware::nvidia), backend("amd", config::Hardware::amd),
            backend("cpu", config::Hardware::cpu)};
    }

    SystemSnapshot look() {
        now_ += 5s;
        return assembler_.assemble(read_machine(tree, config.backends), config, {}, moment());
    }
    SystemSnapshot look_in_vain() {
        now_ += 5s;
        return assembler_.assemble(std::nullopt, config, {}, moment());
    }

    FakeTree tree;
    config::Config config;

  private:
    [[nodiscard]] Moment moment() const { return {now_, {}, 15s}; }
    TimePoint now_{1000s};
    Assembler assembler_;
};

const Sensor* sensor(const SystemSnapshot& snapshot, std::string_view name) {
    for (const Sensor& one : snapshot.sensors) {
        if (one.name == name) return &one;
    }
    return nullptr;
}

std::optional<double> draw(const SystemSnapshot& snapshot, std::string_view name) {
    for (const PowerReading& one : snapshot.draws) {
        if (one.name == name) return one.watts;
    }
    return std::nullopt;
}

TEST(IntelLaptop, ShowsPackageFanAndBatteryAndLeavesTheSleepingGpuAlone) {
    Machine machine(test::intel_laptop());
    const SystemSnapshot snapshot = machine.look();
    EXPECT_EQ(snapshot.cpu_temperature_c, 52);
    EXPECT_FALSE(snapshot.gpu_temperature_c);
    EXPECT_EQ(snapshot.fan_rpm, 2400);
    EXPECT_NEAR(snapshot.fan_percent.value(), 40, 1e-9);
    EXPECT_EQ(snapshot.power.on_battery, true);
    EXPECT_EQ(snapshot.power.battery->level, 42);
    EXPECT_NEAR(snapshot.power.battery->minutes_left.value(), 120, 1e-9);
    EXPECT_EQ(snapshot.cpu_throttled, false);
    EXPECT_EQ(snapshot.thermal.state, ThermalState::normal);
    const Sensor* gpu = sensor(snapshot, "nvidia 0000:01:00.0");
    ASSERT_TRUE(gpu);
    EXPECT_EQ(gpu->state, SensorState::asleep);
    EXPECT_FALSE(gpu->value);
    ASSERT_TRUE(sensor(snapshot, "coretemp Package id 0"));
    EXPECT_EQ(sensor(snapshot, "coretemp Package id 0")->state, SensorState::ok);
    // a core's own sensor is not read: that would wake the core
    EXPECT_FALSE(
        machine.tree.opened().contains("devices/platform/coretemp.0/hwmon/hwmon4/temp2_input"));
}

TEST(IntelLaptop, TellsEachBackendItsDevice) {
    Machine machine(test::intel_laptop());
    const SystemSnapshot snapshot = machine.look();
    ASSERT_EQ(snapshot.devices.size(), 5U);
    EXPECT_EQ(snapshot.find("cpu")->temperature_c, 52);
    EXPECT_EQ(snapshot.find("cpu")->limit_c, 90);  // 10 below the sensor's own limit
    EXPECT_NEAR(snapshot.find("cpu")->fan_percent.value(), 40, 1e-9);
    EXPECT_EQ(snapshot.find("nvidia")->state, SensorState::asleep);
    EXPECT_FALSE(snapshot.find("nvidia")->temperature_c);
    EXPECT_EQ(snapshot.find("nvidia")->limit_c, 85);
    EXPECT_EQ(snapshot.find("nvidia")->device, "nvidia 0000:01:00.0");
    EXPECT_FALSE(snapshot.find("npu")->temperature_c);
    EXPECT_FALSE(snapshot.find("npu")->fan_percent);
    EXPECT_FALSE(snapshot.find("amd")->temperature_c);
    EXPECT_EQ(snapshot.find("igpu")->device, "i915 0000:00:02.0");
}

TEST(IntelLaptop, NothingOfASuspendedDeviceIsOpenedButItsRuntimeStatus) {
    Machine machine(test::intel_laptop());
    machine.config.backends[0].device.pci = "0000:00:0b.0";  // an NPU that sleeps too
    // whatever a driver may show there
    machine.tree.add(test::kNvidiaDevice + "/hwmon/hwmon7",
                     {{"name", "nvidia"}, {"temp1_input", "40000"}});
    machine.tree.link("class/hwmon/hwmon7", test::kNvidiaDevice + "/hwmon/hwmon7");
    machine.tree.link(test::kNvidiaDevice + "/hwmon/hwmon7/device", test::kNvidiaDevice);
    for (int i = 0; i < 3; ++i) (void)machine.look();
    int checked = 0;
    for (const std::string& path : machine.tree.opened()) {
        for (const std::string& device :
             {test::kNvidiaDevice, std::string("devices/pci0000:00/0000:00:0b.0")}) {
            if (!path.starts_with(device + "/")) continue;
            EXPECT_EQ(path, device + "/power/runtime_status");
            ++checked;
        }
    }
    EXPECT_EQ(checked, 2);
}

TEST(IntelLaptop, RaplTellsWattsFromTheSecondReadingOnAlsoWhenItWraps) {
    Machine machine(test::intel_laptop());
    EXPECT_FALSE(draw(machine.look(), "package-0"));
    machine.tree.set("class/powercap/intel-rapl:0/energy_uj", "1060000000");
    EXPECT_NEAR(draw(machine.look(), "package-0").value(), 12, 1e-9);
    machine.tree.set("class/powercap/intel-rapl:0/energy_uj", "262143328850");
    (void)machine.look();
    machine.tree.set("class/powercap/intel-rapl:0/energy_uj", "10000000");
    EXPECT_NEAR(draw(machine.look(), "package-0").value(), 2, 1e-9);
}

TEST(IntelLaptop, CountersThatGrowMarkTheProcessorAsThrottled) {
    Machine machine(test::intel_laptop());
    EXPECT_FALSE(machine.look().find("cpu")->throttled);
    machine.tree.set("devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4");
    const SystemSnapshot hot = machine.look();
    EXPECT_EQ(hot.cpu_throttled, true);
    EXPECT_TRUE(hot.find("cpu")->throttled);
    EXPECT_FALSE(hot.find("igpu")->throttled);
    EXPECT_TRUE(machine.look().find("cpu")->throttled);  // 0 s under recovery
    EXPECT_TRUE(machine.look().find("cpu")->throttled);  // 5 s
    EXPECT_FALSE(machine.look().find("cpu")->throttled);
}

TEST(IntelLaptop, ACounterThatStartedAnewTellsNothingAndIsTheNewBase) {
    const std::string counter = "class/powercap/intel-rapl:0/energy_uj";
    Machine machine(test::intel_laptop());
    machine.tree.set(counter, "100000000000");
    (void)machine.look();
    machine.tree.set(counter, "10000000");  // or 162 kJ in 5 s, had it wrapped
    EXPECT_FALSE(draw(machine.look(), "package-0"));
    machine.tree.set(counter, "70000000");
    EXPECT_NEAR(draw(machine.look(), "package-0").value(), 12, 1e-9);
}

TEST(TwoSockets, HeatInEitherBecomesCriticalAndNothingIsToldTwice) {
    const std::string heat = "/temp1_input";
    for (const char* hot : {"class/hwmon/hwmon4", "class/hwmon/hwmon6"}) {
        test::MachineTree tree = test::intel_laptop();
        tree.set("devices/platform/coretemp.0/hwmon/hwmon4/temp1_input", "60000");
        tree.add_chip("hwmon6", "devices/platform/coretemp.1",
                      {{"name", "coretemp"},
                       {"temp1_label", "Package id 1"},
                       {"temp1_input", "60000"},
                       {"temp1_crit", "100000"}});
        Machine machine(std::move(tree));
        EXPECT_EQ(machine.look().thermal.state, ThermalState::normal) << hot;
        EXPECT_EQ(machine.look().thermal.state, ThermalState::normal) << hot;
        machine.tree.set(hot + heat, "99000");
        (void)machine.look();
        (void)machine.look();
        const SystemSnapshot snapshot = machine.look();
        EXPECT_EQ(snapshot.thermal.state, ThermalState::critical) << hot;
        EXPECT_EQ(snapshot.cpu_temperature_c, 99);
        EXPECT_EQ(snapshot.find("cpu")->temperature_c, 99);
        for (const char* name : {"coretemp.0 Package id 0", "coretemp.1 Package id 1"}) {
            ASSERT_TRUE(sensor(snapshot, name)) << name;
            EXPECT_EQ(sensor(snapshot, name)->state, SensorState::ok) << name;
        }
        const auto of_a_package = [](const Sensor& one) {
            return one.name.find("Package") != std::string::npos;
        };
        EXPECT_EQ(std::ranges::count_if(snapshot.sensors, of_a_package), 2);
    }
}

TEST(TwoSockets, KeepTheirNamesWhileOneIsOutOfSight) {
    test::MachineTree tree = test::intel_laptop();
    tree.add_chip(
        "hwmon6", "devices/platform/coretemp.1",
        {{"name", "coretemp"}, {"temp1_label", "Package id 1"}, {"temp1_input", "60000"}});
    Machine machine(std::move(tree));
    (void)machine.look();
    machine.tree.remove("class/hwmon/hwmon6");
    const SystemSnapshot snapshot = machine.look();
    ASSERT_TRUE(sensor(snapshot, "coretemp.0 Package id 0"));
    ASSERT_TRUE(sensor(snapshot, "coretemp.1 Package id 1"));
    EXPECT_EQ(sensor(snapshot, "coretemp.1 Package id 1")->state, SensorState::stale);
}

TEST(TwoSockets, TellTheirCoresApart) {
    test::MachineTree tree = test::intel_laptop();
    tree.add("class/powercap/intel-rapl:1", {{"name", "package-1"}, {"energy_uj", "0"}});
    tree.add("class/powercap/intel-rapl:1:0", {{"name", "core"}, {"energy_uj", "0"}});
    Machine machine(std::move(tree));
    (void)machine.look();
    machine.tree.set("class/powercap/intel-rapl:1:0/energy_uj", "20000000");
    const SystemSnapshot snapshot = machine.look();
    EXPECT_NEAR(draw(snapshot, "package-1/core").value(), 4, 1e-9);
    EXPECT_TRUE(draw(snapshot, "package-0/core"));
    EXPECT_TRUE(draw(snapshot, "uncore")) << "there is only one";
    EXPECT_FALSE(draw(snapshot, "core"));
}

TEST(TwoSockets, OfWhichOnlyTheZonesAreKnownAreJudgedEachForItself) {
    test::MachineTree tree;
    for (const char* zone : {"thermal_zone0", "thermal_zone1"}) {
        tree.add(std::string("class/thermal/") + zone, {{"type", "x86_pkg_temp"},
                                                        {"temp", "60000"},
                                                        {"trip_point_0_type", "critical"},
                                                        {"trip_point_0_temp", "100000"}});
    }
    Machine machine(std::move(tree));
    machine.tree.set("class/thermal/thermal_zone0/temp", "99000");
    (void)machine.look();
    (void)machine.look();
    const SystemSnapshot snapshot = machine.look();
    EXPECT_EQ(snapshot.thermal.state, ThermalState::critical);
    EXPECT_EQ(snapshot.sensors.size(), 2U);
    EXPECT_TRUE(sensor(snapshot, "x86_pkg_temp thermal_zone0"));
    EXPECT_TRUE(sensor(snapshot, "x86_pkg_temp thermal_zone1"));
}

TEST(AmdLaptop, TellsTheTwoGpusApart) {
    Machine machine(test::amd_laptop());
    const SystemSnapshot snapshot = machine.look();
    EXPECT_NEAR(snapshot.cpu_temperature_c.value(), 61.125, 1e-9);
    EXPECT_EQ(snapshot.gpu_temperature_c, 57);
    EXPECT_EQ(snapshot.find("igpu")->temperature_c, 48);
    EXPECT_EQ(snapshot.find("igpu")->watts, 9);
    EXPECT_EQ(snapshot.find("amd")->temperature_c, 57);
    EXPECT_EQ(snapshot.find("amd")->watts, 31);
    EXPECT_EQ(snapshot.find("amd")->limit_c, 90);
    EXPECT_FALSE(snapshot.find("nvidia")->temperature_c);
    EXPECT_FALSE(snapshot.fan_rpm);
    EXPECT_FALSE(snapshot.cpu_throttled);
}

TEST(AmdLaptop, AddsItsTwoBatteriesUpAndForgetsTheMouse) {
    Machine machine(test::amd_laptop());
    const SystemSnapshot snapshot = machine.look();
    EXPECT_EQ(snapshot.power.on_battery, false);
    // 80 % of 30 Wh and 20 % of 60 Wh
    EXPECT_NEAR(snapshot.power.battery->level.value(), 40, 1e-9);
    EXPECT_FALSE(snapshot.power.battery->minutes_left);
}

TEST(Desktop, HasNeitherBatteryNorAdapter) {
    Machine machine(test::desktop());
    const SystemSnapshot snapshot = machine.look();
    EXPECT_FALSE(snapshot.power.battery);
    EXPECT_FALSE(snapshot.power.on_battery);
    EXPECT_EQ(snapshot.cpu_temperature_c, 55.5);
    EXPECT_EQ(snapshot.gpu_temperature_c, 66);
    EXPECT_EQ(snapshot.fan_rpm, 1480);
    EXPECT_EQ(snapshot.find("amd")->fan_percent, 40);
    EXPECT_NEAR(snapshot.find("cpu")->fan_percent.value(), 100.0 * 128 / 255, 1e-9);
    EXPECT_FALSE(snapshot.find("igpu")->temperature_c);
}

TEST(RaspberryPi, IsReadByItsThermalZone) {
    Machine machine(test::raspberry_pi());
    const SystemSnapshot snapshot = machine.look();
    EXPECT_NEAR(snapshot.cpu_temperature_c.value(), 58.426, 1e-9);
    EXPECT_EQ(snapshot.find("cpu")->limit_c, 100);
    EXPECT_EQ(snapshot.fan_rpm, 3012);
    EXPECT_FALSE(snapshot.gpu_temperature_c);
    EXPECT_FALSE(snapshot.power.battery);
}

TEST(AcpiOnly, TheHottestOfItsZonesStandsForTheProcessor) {
    test::MachineTree tree;
    tree.add("class/thermal/thermal_zone0", {{"type", "acpitz"}, {"temp", "41000"}});
    tree.add("class/thermal/thermal_zone1", {{"type", "acpitz"}, {"temp", "58000"}});
    tree.add("class/thermal/thermal_zone2", {{"type", "iwlwifi_1"}, {"temp", "71000"}});
    EXPECT_EQ(Machine(tree).look().cpu_temperature_c, 58);
    // one that speaks for the processor counts before them
    tree.add("class/thermal/thermal_zone3", {{"type", "soc-thermal"}, {"temp", "44000"}});
    EXPECT_EQ(Machine(tree).look().cpu_temperature_c, 44);
}

TEST(AcpiOnly, HeatThatMovesFromZoneToZoneIsOneRowOfReadings) {
    test::MachineTree tree;
    for (const char* zone : {"thermal_zone0", "thermal_zone1"}) {
        tree.add(std::string("class/thermal/") + zone, {{"type", "acpitz"},
                                                        {"temp", "50000"},
                                                        {"trip_point_0_type", "critical"},
                                                        {"trip_point_0_temp", "100000"}});
    }
    Machine machine(std::move(tree));
    SystemSnapshot snapshot;
    for (const auto& [first, second] :
         {std::pair("99000", "50000"), {"50000", "99000"}, {"99000", "50000"}}) {
        machine.tree.set("class/thermal/thermal_zone0/temp", first);
        machine.tree.set("class/thermal/thermal_zone1/temp", second);
        snapshot = machine.look();
    }
    EXPECT_EQ(snapshot.thermal.state, ThermalState::critical);
}

TEST(IntelArc, WithoutAFirstCounterItsSecondIsTaken) {
    test::MachineTree tree;
    const std::string card = "devices/pci0000:00/0000:00:01.0/0000:03:00.0";
    tree.add_card("card0", card, "xe", "active");
    tree.add_chip("hwmon3", card,
                  {{"name", "xe"},
                   {"temp2_label", "pkg"},
                   {"temp2_input", "62000"},
                   {"temp3_label", "vram"},
                   {"temp3_input", "74000"},
                   {"energy2_label", "pkg"},
                   {"energy2_input", "7000000"},
                   {"fan1_input", "900"}});
    Machine machine(std::move(tree));
    const SystemSnapshot snapshot = machine.look();
    EXPECT_EQ(snapshot.gpu_temperature_c, 62);
    const Readings readings = read_machine(machine.tree, machine.config.backends);
    ASSERT_EQ(readings.parts.size(), 1U);
    ASSERT_TRUE(readings.parts[0].energy);
    EXPECT_EQ(readings.parts[0].energy->joules, 7);
    EXPECT_TRUE(readings.parts[0].energy->path.ends_with("/energy2_input"));
}

TEST(VirtualMachine, KnowsNothingAndSaysSo) {
    Machine machine(test::virtual_machine());
    const SystemSnapshot snapshot = machine.look();
    EXPECT_FALSE(snapshot.cpu_temperature_c);
    EXPECT_FALSE(snapshot.gpu_temperature_c);
    EXPECT_FALSE(snapshot.fan_rpm);
    EXPECT_FALSE(snapshot.cpu_throttled);
    EXPECT_FALSE(snapshot.power.on_battery);
    EXPECT_FALSE(snapshot.thermal.state);
    EXPECT_TRUE(snapshot.sensors.empty());
    EXPECT_TRUE(snapshot.draws.empty());
    for (const DeviceReading& device : snapshot.devices) {
        EXPECT_FALSE(device.temperature_c) << device.backend_id;
        EXPECT_FALSE(device.throttled) << device.backend_id;
    }
}

TEST(BrokenSensor, KeepsItsLastValueForAWhileAndIsUnknownAfterwards) {
    for (const int error : {EIO, ENODATA, ENOENT, EACCES}) {
        Machine machine(test::intel_laptop());
        (void)machine.look();
        machine.tree.fail("class/hwmon/hwmon4/temp1_input", error);
        SystemSnapshot snapshot = machine.look();
        EXPECT_EQ(snapshot.cpu_temperature_c, 52);
        EXPECT_EQ(sensor(snapshot, "coretemp Package id 0")->state, SensorState::stale);
        EXPECT_EQ(snapshot.find("cpu")->state, SensorState::stale);
        (void)machine.look();
        (void)machine.look();
        snapshot = machine.look();
        EXPECT_FALSE(snapshot.cpu_temperature_c);
        EXPECT_FALSE(snapshot.thermal.state);
        EXPECT_EQ(sensor(snapshot, "coretemp Package id 0")->state, SensorState::missing);
        EXPECT_FALSE(sensor(snapshot, "coretemp Package id 0")->value);
        machine.tree.fail("class/hwmon/hwmon4/temp1_input", 0);
        EXPECT_EQ(machine.look().cpu_temperature_c, 52);
    }
}

TEST(BrokenSensor, GarbageIsNeverATemperature) {
    for (const char* garbage : {"", "-1", "0", "9999999", "-128000", "warm", "52.0", "0x34"}) {
        Machine machine(test::intel_laptop());
        machine.tree.set("class/hwmon/hwmon4/temp1_input", garbage);
        EXPECT_FALSE(machine.look().cpu_temperature_c) << garbage;
    }
}

TEST(BrokenSensor, AChipThatIsUnpluggedIsStaleThenMissing) {
    Machine machine(test::desktop());
    (void)machine.look();
    machine.tree.remove("devices/pci0000:00/0000:00:03.1/0000:0a:00.0");
    machine.tree.remove("class/drm/card0");
    machine.tree.remove("bus/pci");
    machine.tree.remove("class/hwmon/hwmon0");
    SystemSnapshot snapshot = machine.look();
    EXPECT_EQ(snapshot.gpu_temperature_c, 66);
    EXPECT_EQ(snapshot.find("amd")->state, SensorState::stale);
    for (int i = 0; i < 3; ++i) snapshot = machine.look();
    EXPECT_FALSE(snapshot.gpu_temperature_c);
    EXPECT_EQ(snapshot.find("amd")->state, SensorState::missing);
    EXPECT_EQ(snapshot.cpu_temperature_c, 55.5);
}

TEST(BrokenSensor, AGpuThatFallsAsleepIsUnknownAtOnce) {
    Machine machine(test::desktop());
    (void)machine.look();
    machine.tree.set("devices/pci0000:00/0000:00:03.1/0000:0a:00.0/power/runtime_status",
                     "suspended");
    const SystemSnapshot snapshot = machine.look();
    EXPECT_FALSE(snapshot.gpu_temperature_c);
    EXPECT_EQ(snapshot.find("amd")->state, SensorState::asleep);
}

TEST(BrokenSensor, WhenNothingCanBeReadEverythingIsStaleThenUnknown) {
    Machine machine(test::intel_laptop());
    (void)machine.look();
    SystemSnapshot snapshot = machine.look_in_vain();
    EXPECT_EQ(snapshot.cpu_temperature_c, 52);
    EXPECT_EQ(snapshot.power.battery->level, 42);
    for (const Sensor& one : snapshot.sensors) EXPECT_NE(one.state, SensorState::ok) << one.name;
    for (int i = 0; i < 3; ++i) snapshot = machine.look_in_vain();
    EXPECT_FALSE(snapshot.cpu_temperature_c);
    ASSERT_TRUE(snapshot.power.battery);  // or it would count as mains
    EXPECT_FALSE(snapshot.power.battery->level);
    EXPECT_FALSE(snapshot.power.on_battery);
}

TEST(LostBattery, IsKeptForAWhileAndNeverCountsAsMains) {
    const std::string battery = "class/power_supply/BAT0";
    const std::vector<std::function<void(FakeTree&)>> ways{
        [&](FakeTree& tree) { tree.remove(battery); },
        [&](FakeTree& tree) { tree.fail(battery + "/type", EIO); },
        [&](FakeTree& tree) { tree.set(battery + "/present", "0"); },
    };
    for (const auto& vanishes : ways) {
        Machine machine(test::intel_laptop());
        (void)machine.look();
        vanishes(machine.tree);
        SystemSnapshot snapshot;
        for (int i = 0; i < 3; ++i) {
            snapshot = machine.look();
            EXPECT_EQ(snapshot.power.on_battery, true);
            ASSERT_TRUE(snapshot.power.battery);
            EXPECT_EQ(snapshot.power.battery->level, 42);
            EXPECT_FALSE(draw(snapshot, "battery"));  // not read
        }
        for (int i = 0; i < 100; ++i) snapshot = machine.look();
        EXPECT_EQ(snapshot.power.on_battery, true);  // the adapter says so
        ASSERT_TRUE(snapshot.power.battery);
        EXPECT_FALSE(snapshot.power.battery->level);
        machine.tree = FakeTree(test::intel_laptop());
        EXPECT_EQ(machine.look().power.battery->level, 42);
    }
}

TEST(LostBattery, OfAMachineWithoutAnAdapterIsKeptAndThenUnknown) {
    Machine machine(test::intel_laptop());
    machine.tree.remove("class/power_supply/AC");
    (void)machine.look();
    machine.tree.remove("class/power_supply");
    EXPECT_EQ(machine.look().power.on_battery, true);
    SystemSnapshot snapshot;
    for (int i = 0; i < 3; ++i) snapshot = machine.look();
    EXPECT_FALSE(snapshot.power.on_battery);
    ASSERT_TRUE(snapshot.power.battery);
    EXPECT_FALSE(snapshot.power.battery->level);
}

TEST(LostBattery, OfAMachineThatIsUnpluggedMeanwhileIsInUse) {
    Machine machine(test::intel_laptop());
    machine.tree.set("class/power_supply/AC/online", "1");
    EXPECT_EQ(machine.look().power.on_battery, false);
    machine.tree.remove("class/power_supply/BAT0");
    machine.tree.set("class/power_supply/AC/online", "0");
    // the two happen between readings, so nothing said that it was taken out
    const SystemSnapshot snapshot = machine.look();
    EXPECT_EQ(snapshot.power.on_battery, true);
    EXPECT_EQ(snapshot.power.battery->level, 42);
}

TEST(RemovedBattery, IsGoneAtOnceWhereTheAdapterIsOnline) {
    Machine machine(test::intel_laptop());
    (void)machine.look();
    machine.tree.remove("class/power_supply/BAT0");
    machine.tree.set("class/power_supply/AC/online", "1");
    SystemSnapshot snapshot = machine.look();
    EXPECT_FALSE(snapshot.power.battery);
    EXPECT_EQ(snapshot.power.on_battery, false);
    machine.tree.fail("class/power_supply/AC/online", EIO);
    snapshot = machine.look();
    EXPECT_FALSE(snapshot.power.battery);  // and stays gone
}

TEST(NoBattery, AnAdapterThatSaysItIsOfflineIsNotBelieved) {
    Machine machine(test::desktop());
    machine.tree.add("class/power_supply/AC", {{"type", "Mains"}, {"online", "0"}});
    for (int i = 0; i < 5; ++i) EXPECT_EQ(machine.look().power.on_battery, false);
}

TEST(NamedDevice, IsFoundByEachOfItsNames) {
    Machine machine(test::intel_laptop());
    auto& device = machine.config.backends[0].device;  // the NPU's
    device.thermal_zone = "acpitz";
    EXPECT_EQ(machine.look().find("npu")->temperature_c, 45);
    EXPECT_EQ(machine.look().cpu_temperature_c, 52);  // which it does not become
    device.thermal_zone = "/sys/class/thermal/thermal_zone1";
    EXPECT_EQ(machine.look().find("npu")->temperature_c, 52);
    device = {};
    device.hwmon = "coretemp";
    EXPECT_EQ(machine.look().find("npu")->temperature_c, 52);
    device = {};
    device.pci = "0000:00:0b.0";
    EXPECT_EQ(machine.look().find("npu")->state, SensorState::asleep);
    device = {};
    device.drm = "card9";
    EXPECT_EQ(machine.look().find("npu")->state, SensorState::missing);
}

TEST(NamedDevice, ChoosesAmongSeveralGpus) {
    Machine machine(test::amd_laptop());
    machine.config.backends[3].device.pci = "0000:05:00.0";
    EXPECT_EQ(machine.look().find("amd")->temperature_c, 48);
    machine.config.backends[3].device = {};
    machine.config.backends[3].device.drm = "card0";
    EXPECT_EQ(machine.look().find("amd")->temperature_c, 57);
}

TEST(HotGpu, IsThrottledUntilItWasUnderRecoveryForTenSeconds) {
    Machine machine(test::desktop());
    machine.config.thermal.configured = true;  // 85 instead of what the sensor says of itself
    const std::string input = "class/hwmon/hwmon0/temp1_input";
    EXPECT_FALSE(machine.look().find("amd")->throttled);
    machine.tree.set(input, "88000");
    SystemSnapshot snapshot = machine.look();
    EXPECT_TRUE(snapshot.find("amd")->throttled);
    EXPECT_FALSE(snapshot.find("cpu")->throttled);
    EXPECT_EQ(snapshot.thermal.state, ThermalState::high);
    EXPECT_EQ(snapshot.thermal.hottest_c, 88);
    EXPECT_EQ(snapshot.thermal.last_event->kind, ThermalEventKind::high);
    EXPECT_EQ(snapshot.thermal.last_event->gpu_c, 88);
    machine.tree.set(input, "78000");
    EXPECT_TRUE(machine.look().find("amd")->throttled);
    machine.tree.set(input, "70000");
    snapshot = machine.look();
    EXPECT_TRUE(snapshot.find("amd")->throttled);
    EXPECT_EQ(snapshot.thermal.state, ThermalState::normal);
    EXPECT_EQ(snapshot.thermal.last_event->kind, ThermalEventKind::recovery);
    EXPECT_TRUE(machine.look().find("amd")->throttled);
    EXPECT_FALSE(machine.look().find("amd")->throttled);
}

}  // namespace
}  // namespace ollama_proxy::monitors
