#include "ollama_proxy/efficiency/controller.hpp"

#include "efficiency/remembered.hpp"
#include "ollama_proxy/common/state_file.hpp"
#include "support/environment.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <optional>

namespace ollama_proxy::efficiency {
namespace {
namespace asio = boost::asio;
namespace fs = std::filesystem;

using config::Mode;

class ControllerTest : public testing::Test {
  protected:
    ControllerTest() {
        config.state_dir = directory.path();
        battery.taken_at = Clock::now();
        battery.power.on_battery = true;
        battery.power.battery = monitors::Battery{42, {}, {}};
    }
    ~ControllerTest() override { end(); }

    Controller& begin() {
        controller.emplace(control, std::make_shared<const config::Config>(config),
                           [this](auto policy) { published.push_back(std::move(policy)); });
        return *controller;
    }
    void end() {
        if (controller) controller->stop();
        controller.reset();
        run();
    }
    /// Everything that is ready now; no timer is waited for.
    void run() {
        control.restart();
        control.poll();
    }
    StatePtr set(Mode mode) {
        Change change;
        change.mode = mode;
        StatePtr out;
        controller->change(change, [&](StatePtr now) { out = std::move(now); });
        run();
        return out;
    }
    void read(const monitors::SystemSnapshot& snapshot) {
        controller->set_system(snapshot);
        run();
    }

    support::TempDir directory;
    asio::io_context control{1};
    config::Config config;
    monitors::SystemSnapshot battery;
    std::optional<Controller> controller;
    std::vector<std::shared_ptr<const Policy>> published;
};

TEST_F(ControllerTest, HoldsAStateAndHasPublishedItFromTheStart) {
    begin();
    EXPECT_EQ(controller->state()->mode, Mode::balanced);
    EXPECT_EQ(controller->state()->effective, Mode::balanced);
    EXPECT_EQ(controller->state()->reason, "user");
    ASSERT_EQ(published.size(), 1U);
    EXPECT_EQ(published[0], controller->state()->policy);
    EXPECT_TRUE(controller->history().empty());
}

TEST_F(ControllerTest, PublishesThePolicyOfAModeThatIsSet) {
    begin();
    const StatePtr now = set(Mode::ultra_efficiency);
    EXPECT_EQ(now, controller->state());
    EXPECT_EQ(now->effective, Mode::ultra_efficiency);
    ASSERT_EQ(published.size(), 2U);
    EXPECT_EQ(published[1]->max_concurrency, 2);
    EXPECT_EQ(published[1]->reason, "user");
}

TEST_F(ControllerTest, AnswersACoroutineOfAnotherContext) {
    begin();
    Change change;
    change.mode = Mode::quiet;
    asio::io_context elsewhere{1};
    auto answer = asio::co_spawn(elsewhere, controller->changed(change), asio::use_future);
    while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
        elsewhere.restart();
        elsewhere.poll();
        run();
    }
    EXPECT_EQ(answer.get()->effective, Mode::quiet);
}

TEST_F(ControllerTest, FollowsTheSurroundingsInAuto) {
    config.efficiency.default_mode = Mode::automatic;
    begin();
    EXPECT_EQ(controller->state()->reason, "power-unknown");
    read(battery);
    EXPECT_EQ(controller->state()->mode, Mode::automatic);
    EXPECT_EQ(controller->state()->effective, Mode::efficiency);
    EXPECT_EQ(controller->state()->reason, "battery-42");
    EXPECT_EQ(published.back()->effective, Mode::efficiency);
    EXPECT_EQ(published.back()->mode, Mode::automatic);
    EXPECT_EQ(controller->state()->surroundings, surroundings_of(battery));
}

TEST_F(ControllerTest, TellsWhatIsNewsAndNotEveryTemperature) {
    begin();
    read(battery);
    std::vector<StatePtr> heard;
    const auto subscription =
        controller->subscribe([&](const StatePtr& now) { heard.push_back(now); });
    battery.cpu_temperature_c = 51;
    battery.thermal.hottest_c = 51;
    read(battery);
    EXPECT_TRUE(heard.empty());
    EXPECT_EQ(controller->state()->surroundings.cpu_c, 51);
    battery.power.battery->level = 41;
    read(battery);
    set(Mode::quiet);
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_EQ(heard[1]->effective, Mode::quiet);
    EXPECT_EQ(published.size(), 2U);  // the first one and Quiet's
}

TEST_F(ControllerTest, KeepsTheHistoryOfChanges) {
    begin();
    set(Mode::quiet);
    set(Mode::quiet);
    set(Mode::automatic);
    const auto history = controller->history();
    ASSERT_EQ(history.size(), 2U);
    EXPECT_EQ(history[0].from, Mode::balanced);
    EXPECT_EQ(history[0].to, Mode::quiet);
    EXPECT_EQ(history[0].reason, "user");
    EXPECT_EQ(history[1].mode, Mode::automatic);
    EXPECT_GT(history[1].unix_ms, 1700000000000);
}

TEST_F(ControllerTest, KeepsTheLastThousandChangesOnly) {
    begin();
    for (int i = 0; i < 1002; ++i) set(i % 2 ? Mode::quiet : Mode::performance);
    const auto history = controller->history();
    ASSERT_EQ(history.size(), kHistoryLimit);
    EXPECT_EQ(history.front().to, Mode::performance);
    EXPECT_EQ(history.front().from, Mode::quiet);
}

TEST_F(ControllerTest, RemembersWhatTheUserHasSetOverARestart) {
    begin();
    set(Mode::quiet);
    Change change;
    change.quiet_hours = config::QuietHours{true, 1, 2};
    change.notifications = {{NotificationKind::thermal, false}};
    controller->change(change, {});
    run();
    end();
    begin();
    EXPECT_EQ(controller->state()->mode, Mode::quiet);
    EXPECT_EQ(controller->state()->quiet_hours.start_hour, 1U);
    EXPECT_FALSE(controller->state()->notifications.at(NotificationKind::thermal));
    EXPECT_TRUE(controller->state()->notifications.at(NotificationKind::mode_changes));
}

TEST_F(ControllerTest, RemembersNothingWhenToldSo) {
    config.efficiency.remember = false;
    begin();
    set(Mode::quiet);
    end();
    EXPECT_TRUE(fs::is_empty(config.state_dir));
    begin();
    EXPECT_EQ(controller->state()->mode, Mode::balanced);
}

TEST_F(ControllerTest, SetsADamagedFileAsideAndBeginsWithTheConfiguration) {
    const fs::path file = config.state_dir / kRememberedFile;
    ASSERT_FALSE(replace_state_file(file, "{\"version\":"));
    config.efficiency.default_mode = Mode::efficiency;
    begin();
    EXPECT_EQ(controller->state()->mode, Mode::efficiency);
    EXPECT_FALSE(fs::exists(file));
    EXPECT_TRUE(fs::exists(file.string() + ".corrupt"));
}

TEST_F(ControllerTest, ANewConfigurationReachesThePolicyAndLeavesTheUsersMode) {
    begin();
    set(Mode::quiet);
    config.efficiency.strict = true;
    config.efficiency.default_mode = Mode::performance;
    controller->set_config(std::make_shared<const config::Config>(config));
    run();
    EXPECT_EQ(controller->state()->mode, Mode::quiet);
    EXPECT_TRUE(published.back()->strict);
}

TEST_F(ControllerTest, ChangesNothingOnceItHasStopped) {
    begin();
    controller->stop();
    EXPECT_EQ(set(Mode::quiet)->mode, Mode::balanced);
}

}  // namespace
}  // namespace ollama_proxy::efficiency
