#include "monitors/nvml.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kGpu = "0000:01:00.0";

/// What the library of the tests says, and what it was asked.
class FakeGpu : public ::testing::Test {
  protected:
    void SetUp() override {
        path_ = fs::temp_directory_path() / ("nvml-" + std::to_string(::getpid()));
        fs::remove(calls());
        says("64 71500 900000 45 0 ok");
        ::setenv("FAKE_NVML", path_.c_str(), 1);
    }
    void TearDown() override {
        fs::remove(path_);
        fs::remove(calls());
    }
    [[nodiscard]] fs::path calls() const { return path_.string() + ".calls"; }
    void says(const std::string& line) {
        const fs::path fresh = path_.string() + ".new";
        std::ofstream(fresh) << line << "\n";
        fs::rename(fresh, path_);
    }
    [[nodiscard]] int asked(const std::string& what) const {
        std::ifstream file(calls());
        int count = 0;
        for (std::string line; std::getline(file, line);) count += line == what ? 1 : 0;
        return count;
    }

    fs::path path_;
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
