#include "dbus/notifier.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::dbus {
namespace {

using config::Mode;
using efficiency::NotificationKind;
using efficiency::NotificationSwitches;
using efficiency::State;
using monitors::ThermalEventKind;

State state_of(Mode mode, Mode effective, std::string reason) {
    State state;
    state.mode = mode;
    state.effective = effective;
    state.reason = std::move(reason);
    return state;
}

monitors::ThermalEvent event(ThermalEventKind kind) {
    monitors::ThermalEvent out;
    out.kind = kind;
    out.cpu_c = 70;
    out.gpu_c = 88;
    return out;
}

TEST(Notifier, TellsWhatAutoChangedAndNotWhatTheUserDid) {
    const State before = state_of(Mode::automatic, Mode::balanced, "ac-connected");
    const auto note =
        Notifier::on_state(before, state_of(Mode::automatic, Mode::quiet, "thermal-high-87"));
    ASSERT_TRUE(note);
    EXPECT_EQ(note->kind, NotificationKind::mode_changes);
    EXPECT_EQ(note->summary, "AI efficiency: Quiet");
    EXPECT_EQ(note->body, "The machine is hot.");
    EXPECT_FALSE(Notifier::on_state(before, state_of(Mode::quiet, Mode::quiet, "user")));
    EXPECT_FALSE(Notifier::on_state(before, before));
}

TEST(Notifier, TellsALowBatteryAsAKindOfItsOwn) {
    const State before = state_of(Mode::automatic, Mode::balanced, "battery-50");
    State now = state_of(Mode::automatic, Mode::efficiency, "battery-49");
    now.surroundings.battery_percent = 49;
    auto note = Notifier::on_state(before, now);
    ASSERT_TRUE(note);
    EXPECT_EQ(note->kind, NotificationKind::low_battery);
    EXPECT_EQ(note->body, "The battery is at 49 %.");
    now.notifications[NotificationKind::low_battery] = false;
    EXPECT_FALSE(Notifier::on_state(before, now));
}

TEST(Notifier, TellsABackendThatIsDownOrBackButNotItsFirstVerdict) {
    router::HealthNews news{"a", "A", false, true, "refused <&>"};
    EXPECT_FALSE(Notifier::on_health(news, {}));
    news.first = false;
    const auto note = Notifier::on_health(news, {});
    ASSERT_TRUE(note);
    EXPECT_EQ(note->summary, "A is down");
    EXPECT_EQ(note->body, "refused &lt;&amp;&gt;");
    EXPECT_FALSE(Notifier::on_health(news, {{NotificationKind::backend_health, false}}));
}

TEST(Notifier, TellsEachThermalEventAtMostOnceAMinute) {
    Notifier notifier;
    TimePoint now{std::chrono::hours(1)};
    const auto tell = [&](ThermalEventKind kind) {
        return notifier.on_thermal(event(kind), {}, now).has_value();
    };
    EXPECT_FALSE(tell(ThermalEventKind::recovery));  // nothing was told before
    EXPECT_FALSE(tell(ThermalEventKind::elevated));
    EXPECT_TRUE(tell(ThermalEventKind::high));
    EXPECT_TRUE(tell(ThermalEventKind::critical));
    now += std::chrono::seconds(59);
    EXPECT_FALSE(tell(ThermalEventKind::high));
    EXPECT_TRUE(tell(ThermalEventKind::recovery));
    now += std::chrono::seconds(1);
    EXPECT_TRUE(tell(ThermalEventKind::high));
    EXPECT_EQ(notifier.on_thermal(event(ThermalEventKind::fan_stopped), {}, now)->body,
              "88 °C: Requests go to the most frugal hardware until it has cooled.");
    now += std::chrono::hours(1);
    const NotificationSwitches off{{NotificationKind::thermal, false}};
    EXPECT_FALSE(notifier.on_thermal(event(ThermalEventKind::high), off, now));
}

TEST(Notifier, TellsADeviceThatDidNotWakeUpOnceAndAfterAWhile) {
    Notifier notifier;
    monitors::SystemSnapshot snapshot;
    snapshot.devices.resize(2);
    snapshot.devices[0].backend_id = "gpu";
    snapshot.devices[0].state = monitors::SensorState::asleep;
    snapshot.devices[1].backend_id = "never-there";
    const TimePoint woke{std::chrono::hours(1)};
    notifier.on_sleep(snapshot);
    notifier.on_wake(woke);
    snapshot.devices[0].state = monitors::SensorState::missing;
    snapshot.taken_at = woke + std::chrono::seconds(9);
    EXPECT_FALSE(notifier.on_reading(snapshot, {}));
    snapshot.taken_at = woke + std::chrono::seconds(10);
    const auto note = notifier.on_reading(snapshot, {});
    ASSERT_TRUE(note);
    EXPECT_EQ(note->kind, NotificationKind::device_lost);
    EXPECT_EQ(note->body, "No longer there after sleeping: gpu");
    EXPECT_FALSE(notifier.on_reading(snapshot, {}));
}

}  // namespace
}  // namespace ollama_proxy::dbus
