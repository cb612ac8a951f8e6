#include "efficiency/remembered.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::efficiency {
namespace {

using config::Mode;

TEST(Remembered, KeepsWhatWasSetAndNothingElse) {
    Remembered set;
    Change change;
    change.mode = Mode::ultra_efficiency;
    change.quiet_hours = config::QuietHours{true, 23, 6};
    change.notifications = {{NotificationKind::thermal, false}};
    set.take(change);
    const auto back = remembered_from_json(to_json(set));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->mode, Mode::ultra_efficiency);
    ASSERT_TRUE(back->quiet_hours);
    EXPECT_TRUE(back->quiet_hours->enabled);
    EXPECT_EQ(back->quiet_hours->start_hour, 23U);
    EXPECT_EQ(back->quiet_hours->end_hour, 6U);
    EXPECT_EQ(back->notifications, (NotificationSwitches{{NotificationKind::thermal, false}}));
}

TEST(Remembered, OfNothingIsNothing) {
    const auto back = remembered_from_json(to_json({}));
    ASSERT_TRUE(back);
    EXPECT_FALSE(back->mode);
    EXPECT_FALSE(back->quiet_hours);
    EXPECT_TRUE(back->notifications.empty());
}

TEST(Remembered, RefusesWhatIsDamagedOrOfAnotherVersion) {
    for (const char* text :
         {"", "{", "[]", "null", "{}", R"({"version":2})", R"({"version":"1"})",
          R"({"version":1,"mode":"Turbo"})", R"({"version":1,"mode":7})",
          R"({"version":1,"quiet_hours":{"enabled":true,"start_hour":24,"end_hour":7}})",
          R"({"version":1,"quiet_hours":{"enabled":true,"start_hour":22.5,"end_hour":7}})",
          R"({"version":1,"quiet_hours":true})", R"({"version":1,"notifications":{"thermal":1}})",
          R"({"version":1,"notifications":{"parties":true}})"}) {
        EXPECT_FALSE(remembered_from_json(text)) << text;
    }
}

TEST(Remembered, TakesTheLatestWish) {
    Remembered set;
    Change first;
    first.mode = Mode::quiet;
    first.notifications = {{NotificationKind::thermal, false}};
    set.take(first);
    Change second;
    second.mode = Mode::automatic;
    second.notifications = {{NotificationKind::low_battery, false}};
    set.take(second);
    EXPECT_EQ(set.mode, Mode::automatic);
    EXPECT_EQ(set.notifications.size(), 2U);
}

TEST(ModeText, NamesTheModesWhenOneIsUnknown) {
    EXPECT_EQ(mode_from_text("ultra-efficiency").value(), Mode::ultra_efficiency);
    EXPECT_EQ(mode_from_text("AUTO").value(), Mode::automatic);
    const auto bad = mode_from_text("Turbo");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, Errc::invalid_request);
    EXPECT_EQ(bad.error().param, "mode");
    for (const Mode mode : available_modes()) {
        EXPECT_NE(bad.error().message.find(config::to_string(mode)), std::string::npos);
    }
    EXPECT_LT(mode_from_text(std::string(1000000, 'x')).error().message.size(), 300U);
}

}  // namespace
}  // namespace ollama_proxy::efficiency
