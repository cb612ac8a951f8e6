#include "monitors/nvml.hpp"

#include "support/fake_gpu.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;

const std::string kGpu = "0000:01:00.0";

/// The library of the tests, and what talks to it.
class FakeGpu : public ::testing::Test {
  protected:
    void says(const std::string& line) const { gpu_.says(line); }
    [[nodiscard]] int asked(const std::string& what) const { return gpu_.asked(what); }

    support::FakeGpu gpu_;
    Nvml nvml{FAKE_NVML_PATH, 10s};
};

TEST_F(FakeGpu, TellsTemperaturePowerEnergyAndFan) {
    const auto facts = nvml.read({kGpu});
    ASSERT_EQ(facts.size(), 1U);
    EXPECT_EQ(facts[0].celsius, 64);
    EXPECT_DOUBLE_EQ(facts[0].watts.value(), 71.5);
    EXPECT_DOUBLE_EQ(facts[0].joules.value(), 900);
    EXPECT_EQ(facts[0].fan_percent, 45);
    EXPECT_EQ(facts[0].slows_down, false);
}

TEST_F(FakeGpu, TakesHoldOfNoGpuButTheOneThatIsAsked) {
    (void)nvml.read({kGpu});
    EXPECT_EQ(asked("init"), 1);
    EXPECT_EQ(asked("init-attach"), 0);
    EXPECT_EQ(asked(kGpu), 1);
}

TEST_F(FakeGpu, IsHeldWhileItIsReadAgainAndLetGoWhenReleased) {
    (void)nvml.read({kGpu});
    (void)nvml.read({kGpu});
    EXPECT_EQ(asked("init"), 1);
    EXPECT_EQ(asked("shutdown"), 0);
    nvml.release();
    nvml.release();
    EXPECT_EQ(asked("shutdown"), 1);
    EXPECT_EQ(nvml.read({kGpu})[0].celsius, 64);
    EXPECT_EQ(asked("init"), 2);
}

TEST_F(FakeGpu, SlowsDownForHeatButNotForAPowerCap) {
    says("64 71500 900000 45 4 ok");  // SW power cap
    EXPECT_EQ(nvml.read({kGpu})[0].slows_down, false);
    says("64 71500 900000 45 32 ok");  // SW thermal slowdown
    EXPECT_EQ(nvml.read({kGpu})[0].slows_down, true);
}

TEST_F(FakeGpu, WithoutAnEnergyCounterItsPowerIsThere) {
    says("64 71500 900000 45 0 noenergy");
    const auto facts = nvml.read({kGpu});
    EXPECT_FALSE(facts[0].joules);
    EXPECT_TRUE(facts[0].watts);
}

TEST_F(FakeGpu, AGpuThatIsLostIsUnknownAndFoundAgainLater) {
    says("64 71500 900000 45 0 lost");
    const auto facts = nvml.read({kGpu});
    ASSERT_EQ(facts.size(), 1U);
    EXPECT_FALSE(facts[0].celsius);
    EXPECT_FALSE(facts[0].watts);
    EXPECT_TRUE(nvml.usable());
    says("50 71500 900000 45 0 ok");
    EXPECT_EQ(nvml.read({kGpu})[0].celsius, 50);
}

TEST_F(FakeGpu, AnUnknownAddressIsUnknown) {
    const auto facts = nvml.read({"0000:02:00.0", kGpu});
    ASSERT_EQ(facts.size(), 2U);
    EXPECT_FALSE(facts[0].celsius);
    EXPECT_EQ(facts[1].celsius, 64);
}

TEST_F(FakeGpu, WhereTheBusIsHiddenTheFirstOneIsRead) {
    EXPECT_EQ(nvml.read({"#0"})[0].celsius, 64);
}

TEST_F(FakeGpu, ALibraryThatHangsIsGivenUp) {
    Nvml hanging(FAKE_NVML_PATH, 20ms);
    says("64 71500 900000 45 0 hang");
    EXPECT_TRUE(hanging.read({kGpu}).empty());
    EXPECT_FALSE(hanging.usable());
    says("64 71500 900000 45 0 ok");  // also lets the thread go
    EXPECT_TRUE(hanging.read({kGpu}).empty());
}

TEST(NoNvml, IsGivenUpWithoutAFuss) {
    Nvml nvml("libnvidia-ml-that-is-not-there.so", 10s);
    EXPECT_TRUE(nvml.read({kGpu}).empty());
    EXPECT_FALSE(nvml.usable());
    nvml.release();
}

}  // namespace
}  // namespace ollama_proxy::monitors
