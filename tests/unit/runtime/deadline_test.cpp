#include "ollama_proxy/runtime/deadline.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace ollama_proxy::runtime {
namespace {

using namespace std::chrono_literals;

struct Log {
    std::vector<int> fired;
};
template <int N>
void note(void* log) {
    static_cast<Log*>(log)->fired.push_back(N);
}

TEST(Deadline, FiresInOrderOfTimeNotOfArming) {
    boost::asio::io_context context;
    DeadlineQueue queue(context);
    Log log;
    Deadline late(queue, note<2>, &log);
    Deadline early(queue, note<1>, &log);
    late.expires_after(20ms);
    early.expires_after(5ms);
    context.run();
    EXPECT_EQ(log.fired, (std::vector<int>{1, 2}));
    EXPECT_FALSE(late.armed());
}

TEST(Deadline, MovedLaterFiresAtTheLaterTimeOnly) {
    boost::asio::io_context context;
    DeadlineQueue queue(context);
    Log log;
    Deadline moved(queue, note<1>, &log);
    Deadline fixed(queue, note<2>, &log);
    moved.expires_after(2ms);
    moved.expires_after(30ms);
    fixed.expires_after(10ms);
    const auto start = Clock::now();
    context.run();
    EXPECT_EQ(log.fired, (std::vector<int>{2, 1}));
    EXPECT_GE(Clock::now() - start, 30ms);
}

TEST(Deadline, MovedEarlierFiresEarlier) {
    boost::asio::io_context context;
    DeadlineQueue queue(context);
    Log log;
    Deadline moved(queue, note<1>, &log);
    Deadline fixed(queue, note<2>, &log);
    moved.expires_after(10min);
    fixed.expires_after(10ms);
    moved.expires_after(1ms);
    context.run();
    EXPECT_EQ(log.fired, (std::vector<int>{1, 2}));
}

TEST(Deadline, DisarmedOrDestroyedNeverFires) {
    boost::asio::io_context context;
    DeadlineQueue queue(context);
    Log log;
    Deadline disarmed(queue, note<1>, &log);
    auto destroyed = std::make_unique<Deadline>(queue, note<2>, &log);
    disarmed.expires_after(1ms);
    destroyed->expires_after(1ms);
    disarmed.disarm();
    destroyed.reset();
    context.run();
    EXPECT_TRUE(log.fired.empty());
}

TEST(Deadline, MayDestroyItselfAndArmOthersWhenItFires) {
    boost::asio::io_context context;
    DeadlineQueue queue(context);
    struct Owner {
        DeadlineQueue& queue;
        Log log;
        std::unique_ptr<Deadline> first;
        std::unique_ptr<Deadline> second;
    } owner{queue, {}, nullptr, nullptr};
    owner.first = std::make_unique<Deadline>(
        queue,
        [](void* raw) {
            auto& o = *static_cast<Owner*>(raw);
            o.first.reset();
            o.second = std::make_unique<Deadline>(o.queue, note<7>, &o.log);
            o.second->expires_after(1ms);
        },
        &owner);
    owner.first->expires_after(1ms);
    context.run();
    EXPECT_EQ(owner.log.fired, (std::vector<int>{7}));
}

TEST(DeadlineQueue, StopLetsTheContextRunOutOfWork) {
    boost::asio::io_context context;
    DeadlineQueue queue(context);
    Log log;
    Deadline far(queue, note<1>, &log);
    far.expires_after(10min);
    queue.stop();
    context.run();
    EXPECT_TRUE(log.fired.empty());
}

}  // namespace
}  // namespace ollama_proxy::runtime
