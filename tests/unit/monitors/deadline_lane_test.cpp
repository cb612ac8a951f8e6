#include "monitors/deadline_lane.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace ollama_proxy::monitors {
namespace {

using namespace std::chrono_literals;

/// Jobs wait here until the test opens it.
struct Gate {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
};

TEST(DeadlineLane, RunsJobsOneAfterAnotherOnOneThread) {
    DeadlineLane lane("lane");
    std::thread::id first;
    std::thread::id second;
    ASSERT_TRUE(lane.run([&] { first = std::this_thread::get_id(); }, 10s));
    ASSERT_TRUE(lane.run([&] { second = std::this_thread::get_id(); }, 10s));
    EXPECT_EQ(first, second);
    EXPECT_NE(first, std::this_thread::get_id());
}

TEST(DeadlineLane, AJobThatHangsHoldsUpNobody) {
    const auto gate = std::make_shared<Gate>();
    const auto ended = std::make_shared<std::promise<void>>();
    DeadlineLane lane("lane");
    EXPECT_FALSE(lane.run(
        [gate, ended] {
            gate->opened.wait();
            ended->set_value();
        },
        1ms));
    EXPECT_EQ(lane.hung(), 1);
    bool ran = false;
    EXPECT_TRUE(lane.run([&] { ran = true; }, 10s));
    EXPECT_TRUE(ran);
    gate->open.set_value();
    ended->get_future().wait();
    while (lane.hung() != 0) std::this_thread::yield();
}

TEST(DeadlineLane, ManyThatHangAreBounded) {
    const auto gate = std::make_shared<Gate>();
    DeadlineLane lane("lane");
    for (int i = 0; i < DeadlineLane::kMaxHung; ++i) {
        EXPECT_FALSE(lane.run([gate] { gate->opened.wait(); }, 1ms));
    }
    bool ran = false;
    EXPECT_FALSE(lane.run([&] { ran = true; }, 10s));
    EXPECT_FALSE(ran);
    gate->open.set_value();
    while (lane.hung() != 0) std::this_thread::yield();
    EXPECT_TRUE(lane.run([&] { ran = true; }, 10s));
}

TEST(DeadlineLane, MayGoWhileAJobStillHangs) {
    const auto gate = std::make_shared<Gate>();
    const auto ended = std::make_shared<std::promise<void>>();
    {
        DeadlineLane lane("lane");
        EXPECT_FALSE(lane.run(
            [gate, ended] {
                gate->opened.wait();
                ended->set_value();
            },
            1ms));
    }
    gate->open.set_value();
    ended->get_future().wait();
}

}  // namespace
}  // namespace ollama_proxy::monitors
