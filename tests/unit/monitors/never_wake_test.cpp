// A sleeping GPU stays asleep: the kernel itself (inotify) says which files of it the monitor
// opened, and NVIDIA's library what it was asked.

#include "monitors/resource_monitor_impl.hpp"
#include "support/fake_gpu.hpp"
#include "support/opened_below.hpp"
#include "sysfs_folder.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ollama_proxy::monitors {
namespace {

namespace fs = std::filesystem;
using support::OpenedBelow;

/// A laptop with an NVIDIA card, a monitor that looks when it is told to, and the library of the
/// tests in NVIDIA's place.
class Laptop : public testing::Test {
  protected:
    Laptop() : config_(configuration(sysfs_)), impl_(config_) {
        config::Backend backend;
        backend.id = "gpu";
        backend.hardware = config::Hardware::nvidia;
        config_->backends.push_back(backend);
        backend.id = "npu";
        backend.hardware = config::Hardware::npu;
        backend.device.pci = "0000:00:0b.0";
        config_->backends.push_back(backend);
        impl_.energy_->configure(*config_);
        impl_.nvml_library_ = FAKE_NVML_PATH;
        impl_.listeners_.push_back([this](const auto& snapshot) { published_(snapshot); });
    }
    ~Laptop() override { impl_.stop(); }

    static test::MachineTree tree() {
        test::MachineTree out = test::intel_laptop();
        // whatever a driver may show there
        out.add(test::kNvidiaDevice + "/hwmon/hwmon7",
                {{"name", "nvidia"}, {"temp1_input", "40000"}, {"energy1_input", "5"}});
        out.links["class/hwmon/hwmon7"] = test::kNvidiaDevice + "/hwmon/hwmon7";
        out.links[test::kNvidiaDevice + "/hwmon/hwmon7/device"] = test::kNvidiaDevice;
        out.files[test::kNvidiaDevice + "/uevent"] = "DRIVER=nvidia";
        return out;
    }
    void power(const std::string& status) const {
        sysfs_.set(test::kNvidiaDevice + "/power/runtime_status", status);
    }
    /// A reading that began after this call. What is published first may have begun before; the
    /// next one has not, because readings come one after the other.
    std::shared_ptr<const SystemSnapshot> look() {
        publish_another();
        publish_another();
        return impl_.snapshot_->load();
    }
    void publish_another() {
        const TimePoint before = Clock::now();
        {
            std::lock_guard lock(impl_.mutex_);
            impl_.poked_ = true;
        }
        impl_.wakeup_.ring();
        EXPECT_TRUE(published_.wait([&](const auto& s) { return s.taken_at > before; }));
    }
    [[nodiscard]] fs::path device() const { return sysfs_.root() / test::kNvidiaDevice; }

    const Sysfs sysfs_{tree()};
    support::FakeGpu gpu_;
    std::shared_ptr<config::Config> config_;
    Published published_;
    ResourceMonitor::Impl impl_;
};

TEST_F(Laptop, OfASleepingGpuAndNpuNothingButTheRuntimeStatusIsOpened) {
    OpenedBelow gpu(device());
    OpenedBelow npu(sysfs_.root() / "devices/pci0000:00/0000:00:0b.0");
    impl_.start();
    for (int i = 0; i < 3; ++i) (void)look();
    // also while requests run there, whose energy is read four times a second
    auto work = EnergyLedger(impl_.energy_).begin("gpu");
    for (int i = 0; i < 3; ++i) (void)look();
    (void)work.finish(3);
    const std::set<fs::path> only{device() / "power/runtime_status"};
    EXPECT_EQ(gpu.since_last(), only);
    EXPECT_EQ(npu.since_last(), std::set<fs::path>{sysfs_.root() / "devices/pci0000:00" /
                                                   "0000:00:0b.0/power/runtime_status"});
    EXPECT_TRUE(gpu_.calls().empty());
    EXPECT_EQ(impl_.snapshot_->load()->find("gpu")->state, SensorState::asleep);
}

TEST_F(Laptop, AnAwakeGpuIsReadAndThenLetGoSoThatItCanSleep) {
    power("active");
    impl_.start();
    const auto snapshot = look();
    EXPECT_EQ(snapshot->gpu_temperature_c, 64);
    EXPECT_EQ(snapshot->find("gpu")->watts, 71.5);
    EXPECT_EQ(snapshot->find("gpu")->fan_percent, 45);
    EXPECT_EQ(snapshot->find("gpu")->limit_c, 85);
    (void)look();  // the loop has been round: what it held it has let go
    EXPECT_GE(gpu_.asked("shutdown"), 1);
    EXPECT_EQ(gpu_.asked("init-attach"), 0);
}

TEST_F(Laptop, AGpuThatFallsAsleepIsNotAskedAgain) {
    power("active");
    impl_.start();
    EXPECT_EQ(look()->gpu_temperature_c, 64);
    power("suspended");
    EXPECT_FALSE(look()->gpu_temperature_c);
    gpu_.forget_calls();
    OpenedBelow gpu(device());
    EXPECT_EQ(look()->find("gpu")->state, SensorState::asleep);
    EXPECT_EQ(gpu.since_last(), std::set<fs::path>{device() / "power/runtime_status"});
    EXPECT_TRUE(gpu_.calls().empty());
}

TEST_F(Laptop, AGpuOverItsLimitOrSlowingItselfDownIsThrottled) {
    power("active");
    gpu_.says("84 71500 900000 45 0 ok");
    impl_.start();
    EXPECT_FALSE(look()->find("gpu")->throttled);
    gpu_.says("86 71500 900000 45 0 ok");
    EXPECT_TRUE(look()->find("gpu")->throttled);
}

TEST_F(Laptop, AGpuThatSaysItSlowsDownIsThrottledWhileItIsCool) {
    power("active");
    gpu_.says("60 71500 900000 45 64 ok");  // HW thermal slowdown
    impl_.start();
    EXPECT_TRUE(look()->find("gpu")->throttled);
}

TEST_F(Laptop, TheEnergyCounterOfTheGpuIsChargedToWhatRunsThere) {
    power("active");
    impl_.start();
    (void)look();
    const EnergyLedger ledger(impl_.energy_);
    auto work = ledger.begin("gpu");
    std::optional<EnergyCharge> charge;
    unsigned long long millijoules = 900'000;
    const TimePoint give_up = Clock::now() + std::chrono::seconds(20);
    do {  // until two readings fell into the request; however quick the loop is, no card draws more
        ++millijoules;
        gpu_.says("64 71500 " + std::to_string(millijoules) + " 45 0 ok");
        charge = ledger.begin("gpu").finish(1);
    } while ((!charge || charge->source != EnergySource::nvml) && Clock::now() < give_up);
    charge = work.finish(10);
    ASSERT_TRUE(charge);
    EXPECT_EQ(charge->source, EnergySource::nvml);
    EXPECT_GT(charge->joules, 0);
}

}  // namespace
}  // namespace ollama_proxy::monitors
