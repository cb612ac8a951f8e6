#include "monitors/uevents.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy::monitors {
namespace {

using namespace std::string_literals;

TEST(Uevents, AnAdaptersMessageIsKnownByItsSubsystem) {
    EXPECT_TRUE(is_power_supply_event(
        "change@/devices/LNXSYSTM:00/ACPI0003:00/power_supply/AC\0ACTION=change\0"
        "SUBSYSTEM=power_supply\0POWER_SUPPLY_ONLINE=0\0"s));
    EXPECT_TRUE(is_power_supply_event("add@/x\0SUBSYSTEM=power_supply"s));
}

TEST(Uevents, OthersAreNot) {
    EXPECT_FALSE(is_power_supply_event("change@/devices/x\0SUBSYSTEM=usb\0"s));
    EXPECT_FALSE(is_power_supply_event("change@/x\0OLD_SUBSYSTEM=power_supply\0"s));
    EXPECT_FALSE(is_power_supply_event("change@/x\0SUBSYSTEM=power_supply2\0"s));
    EXPECT_FALSE(is_power_supply_event(""));
    EXPECT_FALSE(is_power_supply_event("\0\0\0"s));
}

}  // namespace
}  // namespace ollama_proxy::monitors
