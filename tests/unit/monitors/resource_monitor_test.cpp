#include "ollama_proxy/monitors/resource_monitor.hpp"

#include "monitors/machine_reader.hpp"
#include "sysfs_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// A monitor that tells what it publishes.
struct Running {
    explicit Running(const std::shared_ptr<config::Config>& config) : monitor(config) {
        monitor.subscribe([seen = published](const auto& snapshot) { (*seen)(snapshot); });
        monitor.start();
    }
    std::shared_ptr<Published> published = std::make_shared<Published>();
    ResourceMonitor monitor;
};

TEST(ResourceMonitor, ReadsAtOnceAndAgainWhenPoked) {
    const Sysfs sysfs(test::intel_laptop());
    Running running(configuration(sysfs));
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 52; }));
    sysfs.set("class/hwmon/hwmon4/temp1_input", "61000");
    running.monitor.poke();
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 61; }));
    EXPECT_EQ(running.monitor.snapshot()->cpu_temperature_c, 61);
    const auto history = running.monitor.thermal_history(10);
    ASSERT_EQ(history.size(), 2U);
    EXPECT_EQ(history[0].cpu_c, 52);
    EXPECT_EQ(history[1].cpu_c, 61);
    EXPECT_EQ(running.monitor.thermal_history(1).front().cpu_c, 61);
}

TEST(ResourceMonitor, FactsFromOutsideArePublishedWithoutReading) {
    const Sysfs sysfs(test::intel_laptop());
    Running running(configuration(sysfs));
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 52; }));
    sysfs.set("class/hwmon/hwmon4/temp1_input", "61000");
    running.monitor.set_external({"power-saver", true});
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.external.sleeping; }));
    EXPECT_EQ(running.monitor.snapshot()->external.power_profile, "power-saver");
    EXPECT_EQ(running.monitor.snapshot()->cpu_temperature_c, 52);
}

TEST(ResourceMonitor, WorkSetsThePace) {
    const Sysfs sysfs(test::intel_laptop());
    const auto config = configuration(sysfs);
    config->monitors.interval = 100ms;
    Running running(config);
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 52; }));
    sysfs.set("class/hwmon/hwmon4/temp1_input", "61000");
    const auto work = running.monitor.energy().begin("cpu");
    EXPECT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 61; }));
}

TEST(ResourceMonitor, EnergyIsReadWhileADeviceWorks) {
    const Sysfs sysfs(test::intel_laptop());
    Running running(configuration(sysfs));
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 52; }));
    std::uint64_t micro = 1'000'000'000;
    // as long as it takes until two readings fell into one request
    std::optional<EnergyCharge> charge;
    const TimePoint give_up = Clock::now() + 20s;
    auto work = running.monitor.energy().begin("cpu");
    while (Clock::now() < give_up) {
        micro += 1000;  // however quick the loop is, no processor draws more
        sysfs.set("class/powercap/intel-rapl:0/energy_uj", std::to_string(micro));
        auto probe = running.monitor.energy().begin("cpu");
        const auto one = probe.finish(1);
        if (one && one->source == EnergySource::rapl) break;
        std::this_thread::yield();
    }
    charge = work.finish(5);
    ASSERT_TRUE(charge);
    EXPECT_EQ(charge->source, EnergySource::rapl);
    EXPECT_GT(charge->joules, 0);
}

TEST(ResourceMonitor, ANewConfigurationIsReadAtOnce) {
    const Sysfs first(test::intel_laptop());
    const Sysfs second(test::raspberry_pi());
    Running running(configuration(first));
    ASSERT_TRUE(running.published->wait([](const auto& s) { return s.cpu_temperature_c == 52; }));
    running.monitor.configure(configuration(second));
    EXPECT_TRUE(running.published->wait([](const auto& s) { return s.fan_rpm == 3012; }));
}

TEST(ResourceMonitor, SwitchedOffItKnowsNothing) {
    const Sysfs sysfs(test::intel_laptop());
    const auto config = configuration(sysfs);
    config->monitors.enabled = false;
    ResourceMonitor monitor(config);
    monitor.start();
    monitor.poke();
    monitor.stop();
    EXPECT_FALSE(monitor.snapshot()->cpu_temperature_c);
}

/// Reading one file blocks until the test opens the gate.
class BlockingFiles : public FileReader {
  public:
    BlockingFiles(fs::path root, std::string path) : files_(std::move(root)), path_(path) {}
    FileText read(const std::string& path) override {
        if (path == path_) gate.get_future().wait();
        return files_.read(path);
    }
    std::vector<std::string> list(const std::string& directory) override {
        return files_.list(directory);
    }
    std::string link_name(const std::string& path) override { return files_.link_name(path); }
    std::promise<void> gate;

  private:
    KernelFiles files_;
    std::string path_;
};

TEST(MachineReader, AFileThatHangsCostsItsDirectoryAndNothingElse) {
    const Sysfs sysfs(test::intel_laptop());
    const auto files =
        std::make_shared<BlockingFiles>(sysfs.root(), "class/hwmon/hwmon4/temp1_input");
    MachineReader reader(50ms);
    const auto readings = reader.read(files, files, {});
    ASSERT_TRUE(readings);
    EXPECT_EQ(readings->power.battery->level, 42);
    ASSERT_EQ(reader.hanging(), std::vector<std::string>{"class/hwmon/hwmon4"});
    for (const Part& part : readings->parts) EXPECT_NE(part.driver, "coretemp");
    files->gate.set_value();
    const TimePoint give_up = Clock::now() + 20s;
    while (!reader.hanging().empty() && Clock::now() < give_up) std::this_thread::yield();
    EXPECT_TRUE(reader.hanging().empty());
}

}  // namespace
}  // namespace ollama_proxy::monitors
