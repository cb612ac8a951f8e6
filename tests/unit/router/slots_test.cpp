#include "router/slots.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

using std::chrono::seconds;

constexpr Capacity kTwo{2, 3};
constexpr SlotRules kPlain{0, 0};

TEST(BackendSlots, CountsPerModelAndOverAll) {
    BackendSlots slots;
    slots.take("m", Priority::normal, SlotKind::plain);
    slots.take("m", Priority::normal, SlotKind::plain);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::high, false, kPlain), SlotKind::none);
    EXPECT_EQ(slots.may_take("n", kTwo, Priority::normal, false, kPlain), SlotKind::plain);
    slots.take("n", Priority::normal, SlotKind::plain);
    EXPECT_EQ(slots.may_take("o", kTwo, Priority::normal, false, kPlain), SlotKind::none);
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(1));
    EXPECT_EQ(slots.may_take("o", kTwo, Priority::normal, false, kPlain), SlotKind::plain);
    EXPECT_EQ(slots.in_flight(), 2U);
    EXPECT_EQ(slots.plain("m"), 1U);
    EXPECT_EQ(slots.running()[1], 2U);
}

TEST(BackendSlots, GivesCriticalOneMoreForTheWholeBackend) {
    BackendSlots slots;
    const SlotRules rules{1, 0};
    for (const char* model : {"m", "m", "n"}) slots.take(model, Priority::normal, SlotKind::plain);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::high, true, rules), SlotKind::none)
        << "ageing gives no extra slot";
    ASSERT_EQ(slots.may_take("m", kTwo, Priority::critical, false, rules), SlotKind::extra);
    slots.take("m", Priority::critical, SlotKind::extra);
    EXPECT_EQ(slots.in_flight(), 4U);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::critical, false, rules), SlotKind::none);
    EXPECT_EQ(slots.may_take("n", kTwo, Priority::critical, false, rules), SlotKind::none)
        << "the one extra slot is in use by another model";
    EXPECT_EQ(slots.may_take("n", kTwo, Priority::critical, false, {2, 0}), SlotKind::extra);
}

TEST(BackendSlots, AnExtraSlotTakesNoneFromTheOthers) {
    BackendSlots slots;
    const SlotRules rules{1, 0};
    const Capacity one{1, 1};
    slots.take("m", Priority::normal, SlotKind::plain);
    slots.take("m", Priority::critical, SlotKind::extra);
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(1));
    EXPECT_EQ(slots.may_take("m", one, Priority::best_effort, true, rules), SlotKind::plain)
        << "or constant critical traffic would starve everybody";
    slots.release({"a", "m", Priority::critical, SlotKind::extra}, seconds(1));
    EXPECT_EQ(slots.in_flight(), 0U);
}

TEST(BackendSlots, BestEffortLeavesTheReservedSlotsFree) {
    BackendSlots slots;
    const SlotRules rules{0, 1};
    ASSERT_EQ(slots.may_take("m", kTwo, Priority::best_effort, false, rules), SlotKind::plain);
    slots.take("m", Priority::best_effort, SlotKind::plain);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::best_effort, false, rules), SlotKind::none);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::best_effort, true, rules), SlotKind::none)
        << "nor does it take them when it has waited long";
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::normal, false, rules), SlotKind::plain);
}

TEST(BackendSlots, AnAgedBestEffortIsNotStarvedByTheReservation) {
    BackendSlots slots;
    const SlotRules rules{0, 1};
    slots.take("m", Priority::normal,
               SlotKind::plain);  // constant traffic: one slot is always taken
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::best_effort, false, rules), SlotKind::none);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::best_effort, true, rules), SlotKind::plain);
}

TEST(BackendSlots, ReservingEverythingLeavesBestEffortOneSlot) {
    BackendSlots slots;
    const SlotRules rules{0, 9};
    ASSERT_EQ(slots.may_take("m", kTwo, Priority::best_effort, false, rules), SlotKind::plain);
    slots.take("m", Priority::best_effort, SlotKind::plain);
    EXPECT_EQ(slots.may_take("m", kTwo, Priority::best_effort, true, rules), SlotKind::none);
}

TEST(BackendSlots, FewerSlotsThanRunningLetNobodyIn) {
    BackendSlots slots;
    for (int i = 0; i < 3; ++i) slots.take("m", Priority::normal, SlotKind::plain);
    EXPECT_EQ(slots.may_take("m", {1, 1}, Priority::normal, false, kPlain), SlotKind::none);
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(1));
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(1));
    EXPECT_EQ(slots.may_take("m", {1, 1}, Priority::normal, false, kPlain), SlotKind::none);
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(1));
    EXPECT_EQ(slots.may_take("m", {1, 1}, Priority::normal, false, kPlain), SlotKind::plain);
}

TEST(BackendSlots, RemembersHowLongSlotsAreHeld) {
    BackendSlots slots;
    EXPECT_FALSE(slots.usual_hold());
    slots.take("m", Priority::normal, SlotKind::plain);
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(8));
    EXPECT_EQ(slots.usual_hold(), seconds(8));
    slots.take("m", Priority::normal, SlotKind::plain);
    slots.release({"a", "m", Priority::normal, SlotKind::plain}, seconds(0));
    EXPECT_EQ(slots.usual_hold(), seconds(7));
}

}  // namespace
}  // namespace ollama_proxy::router
