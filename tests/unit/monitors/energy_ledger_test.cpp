#include "monitors/energy_ledger.hpp"

#include "fake_tree.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;

config::Backend backend(const std::string& id, config::Hardware hardware, double watts) {
    config::Backend out;
    out.id = id;
    out.hardware = hardware;
    out.characteristics.power_watts = watts;
    out.characteristics.power_known = watts > 0;
    return out;
}

struct Bench {
    explicit Bench(test::MachineTree machine) : tree(std::move(machine)) {
        config.backends = {
            backend("npu", config::Hardware::npu, 3), backend("igpu", config::Hardware::igpu, 12),
            backend("amd", config::Hardware::amd, 45), backend("cpu", config::Hardware::cpu, 28),
            backend("cloud", config::Hardware::cloud, 0)};
        impl->configure(config);
        bind();
    }
    void bind() { impl->bind(config, read_machine(tree, config.backends), true); }
    std::string key(const char* id) {
        const auto& tap = impl->slot(id)->meter->tap();
        return tap ? tap->key() : "none";
    }

    FakeTree tree;
    config::Config config;
    std::shared_ptr<EnergyLedger::Impl> impl = std::make_shared<EnergyLedger::Impl>();
    EnergyLedger ledger{impl};
};

TEST(EnergyTap, TheBestSourceOfEachDeviceIsTaken) {
    Bench intel(test::intel_laptop());
    EXPECT_EQ(intel.key("npu"), "none");
    EXPECT_EQ(intel.key("cpu"), "rapl class/powercap/intel-rapl:0/energy_uj ");
    EXPECT_EQ(intel.key("igpu"), "rapl class/powercap/intel-rapl:0:1/energy_uj ");
    Bench amd(test::amd_laptop());
    EXPECT_TRUE(amd.key("igpu").starts_with("hwmon-power"));
    EXPECT_TRUE(amd.key("amd").starts_with("hwmon-power"));
    EXPECT_NE(amd.key("igpu"), amd.key("amd"));
    EXPECT_EQ(amd.key("cpu"), "none");
}

TEST(EnergyTap, ADomainMayBeNamed) {
    Bench bench(test::intel_laptop());
    bench.config.backends[0].device.rapl = "core";
    bench.bind();
    EXPECT_EQ(bench.key("npu"), "rapl class/powercap/intel-rapl:0:0/energy_uj ");
    bench.config.backends[0].device.rapl = "intel-rapl:0";
    bench.bind();
    EXPECT_EQ(bench.key("npu"), bench.key("cpu"));
    EXPECT_EQ(bench.impl->slot("npu")->meter, bench.impl->slot("cpu")->meter);
}

TEST(EnergyTap, CountersThatOnlyRootMayReadLeaveTheConfiguredWatts) {
    test::MachineTree machine = test::intel_laptop();
    Bench bench(machine);
    bench.tree.fail("class/powercap/intel-rapl:0/energy_uj", EACCES);
    bench.tree.fail("class/powercap/intel-rapl:0:0/energy_uj", EACCES);
    bench.tree.fail("class/powercap/intel-rapl:0:1/energy_uj", EACCES);
    EXPECT_TRUE(find_rapl(bench.tree).denied);
    bench.bind();
    EXPECT_EQ(bench.key("cpu"), "none");
}

TEST(EnergyTap, ReadsACounterOverItsEnd) {
    Bench bench(test::intel_laptop());
    const EnergyTap tap = *bench.impl->slot("cpu")->meter->tap();
    bench.tree.set("class/powercap/intel-rapl:0/energy_uj", "262143328000");
    const auto before = read_tap(bench.tree, tap);
    bench.tree.set("class/powercap/intel-rapl:0/energy_uj", "5000000");
    const auto now = read_tap(bench.tree, tap);
    EXPECT_NEAR(joules_between(tap, *before, *now, 250ms).value(), 5.00085, 1e-6);
}

TEST(EnergyTap, ACounterThatStartedAnewInSuspendHasNotWrapped) {
    constexpr double kEnd = 262'143;
    EXPECT_FALSE(counted_joules(100'000, 0.01, kEnd, 250ms));
    EXPECT_FALSE(counted_joules(100'000, 0.01, kEnd, 30s));
    EXPECT_FALSE(counted_joules(0.01, 100'000, kEnd, 250ms));  // nor has anything drawn that much
    EXPECT_FALSE(counted_joules(100'000, 0.01, 0, 250ms));
}

TEST(EnergyTap, ReadingsThatAreCloseTogetherCount) {
    EXPECT_NEAR(counted_joules(1000, 1025, 262'143, 1ms).value(), 25, 1e-9);
    EXPECT_NEAR(counted_joules(262'140, 22, 262'143, 0ms).value(), 25, 1e-9);
}

TEST(EnergyTap, OfASuspendedDeviceNothingIsRead) {
    Bench bench(test::amd_laptop());
    const EnergyTap tap = *bench.impl->slot("amd")->meter->tap();
    ASSERT_TRUE(read_tap(bench.tree, tap));
    const std::string device = "devices/pci0000:00/0000:00:01.1/0000:03:00.0";
    bench.tree.set(device + "/power/runtime_status", "suspended");
    bench.tree.forget();
    EXPECT_FALSE(read_tap(bench.tree, tap));
    EXPECT_EQ(bench.tree.opened(), std::set<std::string>{device + "/power/runtime_status"});
    bench.bind();  // it keeps what it had, for when it wakes
    EXPECT_EQ(bench.key("amd"), tap.key());
}

TEST(EnergyLedger, SaysWhereTheNumberComesFrom) {
    Bench bench(test::intel_laptop());
    auto work = bench.ledger.begin("cpu");
    const auto meters = bench.impl->working();
    ASSERT_EQ(meters.size(), 1U);
    const TimePoint now = Clock::now();
    meters[0]->take({{1000.0}, {}}, now);
    meters[0]->take({{1025.0}, {}}, now + 250ms);
    const auto charge = work.finish(10);
    ASSERT_TRUE(charge);
    EXPECT_EQ(charge->source, EnergySource::rapl);
    EXPECT_NEAR(charge->joules, 25, 0.5);
    const auto energy = bench.ledger.of("cpu");
    EXPECT_EQ(energy->source, EnergySource::rapl);
    EXPECT_NEAR(energy->joules_per_token.value(), 2.5, 0.05);
    EXPECT_TRUE(bench.impl->working().empty());
}

TEST(EnergyLedger, ACounterThatStartedAnewIsTheNewBaseAndCostsNobodyAnything) {
    Bench bench(test::intel_laptop());
    const TimePoint start{1000s};
    auto work = bench.ledger.begin("cpu", start);
    const auto meters = bench.impl->working();
    ASSERT_EQ(meters.size(), 1U);
    meters[0]->take({{100'000.0}, {}}, start);
    meters[0]->take({{100'025.0}, {}}, start + 250ms);
    meters[0]->take({{0.01}, {}}, start + 500ms);  // taken as 100 W still
    meters[0]->take({{50.01}, {}}, start + 750ms);
    const auto charge = work.finish(10, start + 750ms);
    ASSERT_TRUE(charge);
    EXPECT_NEAR(charge->joules, 25 + 25 + 50, 1e-6);
    EXPECT_NEAR(bench.ledger.of("cpu")->joules_per_token.value(), 10, 1e-6);
}

TEST(EnergyLedger, WithoutACounterItIsTheConfiguredWatts) {
    Bench bench(test::intel_laptop());
    auto work = bench.ledger.begin("npu");
    EXPECT_TRUE(bench.impl->working().empty());  // nothing to read
    EXPECT_TRUE(bench.impl->busy());
    const auto charge = work.finish(3);
    ASSERT_TRUE(charge);
    EXPECT_EQ(charge->source, EnergySource::configured);
    EXPECT_FALSE(bench.impl->busy());
}

TEST(EnergyLedger, WhereNothingIsKnownNothingIsSaid) {
    Bench bench(test::intel_laptop());
    EXPECT_FALSE(bench.ledger.begin("cloud").finish(3));
    EXPECT_FALSE(bench.ledger.begin("nobody").finish(3));
    EXPECT_FALSE(bench.ledger.of("cloud")->joules_per_token);
}

TEST(EnergyLedger, WorkThatIsDroppedOrForgottenEnds) {
    Bench bench(test::intel_laptop());
    {
        const auto work = bench.ledger.begin("npu");
    }
    auto work = bench.ledger.begin("npu");
    work.forget();
    EXPECT_FALSE(work.finish(1));
    EXPECT_FALSE(bench.impl->busy());
}

TEST(EnergyLedger, OnlyTheFirstRequestWakesTheMonitor) {
    Bench bench(test::intel_laptop());
    int rings = 0;
    bench.impl->wake = [&] { ++rings; };
    const auto first = bench.ledger.begin("npu");
    const auto second = bench.ledger.begin("cpu");
    EXPECT_EQ(rings, 1);
}

}  // namespace
}  // namespace ollama_proxy::monitors
