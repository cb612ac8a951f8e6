#include "dbus/paced.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ollama_proxy::dbus {
namespace {

TEST(Paced, TellsTheFirstAtOnceAndTenThousandMoreTogetherAQuarterOfASecondLater) {
    boost::asio::io_context context{1};
    std::vector<TimePoint> told;
    Paced paced(context, [&] { told.push_back(Clock::now()); });
    paced.touch();
    ASSERT_EQ(told.size(), 1U);
    const TimePoint begin = Clock::now();
    for (int i = 0; i < 10'000; ++i) paced.touch();
    const auto rounds = Clock::now() - begin;
    EXPECT_LE(told.size(), 1U + static_cast<std::size_t>(rounds / Paced::kPause));
    context.run();
    ASSERT_GE(told.size(), 2U);  // the last touch is never lost
    EXPECT_LE(told.size(), 2U + static_cast<std::size_t>(rounds / Paced::kPause));
    for (std::size_t i = 1; i < told.size(); ++i) {
        EXPECT_GE(told[i] - told[i - 1], Paced::kPause - Milliseconds(1));
    }
}

}  // namespace
}  // namespace ollama_proxy::dbus
