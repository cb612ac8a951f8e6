#include "router/admission.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <thread>

namespace ollama_proxy::router {
namespace {

namespace asio = boost::asio;

std::shared_ptr<upstream::Backend> backend(unsigned per_model, unsigned in_all,
                                           std::uint32_t index = 0) {
    config::Backend settings;
    settings.id = std::string(1, static_cast<char>('a' + index));
    settings.max_concurrency = per_model;
    settings.max_in_flight = in_all;
    return std::make_shared<upstream::Backend>(settings, config::CircuitBreaker{}, index);
}

asio::awaitable<Result<Admitted>> enter(Admission& admission, std::vector<Place> places,
                                        Admission::Settings settings, std::size_t& depth) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return co_await admission.acquire(places, Priority::normal, kNever, settings, depth);
}

/// One request at the door.
struct Guest {
    Guest(asio::io_context& context, Admission& admission, std::vector<Place> places,
          Admission::Settings settings = {}) {
        asio::co_spawn(
            context, enter(admission, std::move(places), settings, depth),
            asio::bind_cancellation_slot(leave.slot(), [this](const std::exception_ptr& thrown,
                                                              std::optional<Result<Admitted>> got) {
                failed = thrown != nullptr;
                result = std::move(got);
            }));
    }
    [[nodiscard]] bool inside() const { return result && result->has_value(); }
    [[nodiscard]] Errc refused() const {
        return result && !*result ? result->error().code : Errc::internal;
    }

    std::size_t depth = 0;
    asio::cancellation_signal leave;
    std::optional<Result<Admitted>> result;
    bool failed = false;
};

class AdmissionTest : public testing::Test {
  protected:
    Guest& guest(std::vector<Place> places, Admission::Settings settings = {}) {
        Guest& one = guests_.emplace_back(context_, admission_, std::move(places), settings);
        turn();
        return one;
    }
    void turn() {
        context_.restart();
        context_.poll();
    }

    asio::io_context context_{1};
    Admission admission_;
    std::deque<Guest> guests_;
};

TEST_F(AdmissionTest, CountsPerModelAndOverAll) {
    const auto b = backend(1, 2);
    Guest& one = guest({{b, "m"}});
    Guest& same = guest({{b, "m"}});
    Guest& other = guest({{b, "n"}});
    Guest& third = guest({{b, "o"}});
    EXPECT_TRUE(one.inside());
    EXPECT_FALSE(same.result);
    EXPECT_TRUE(other.inside());
    EXPECT_FALSE(third.result) << "over max_in_flight";
    EXPECT_EQ(third.depth, 1U);
    EXPECT_EQ(admission_.waiting(), 2U);
    EXPECT_EQ(admission_.in_flight(), 2U);
    other.result.reset();  // gives the slot back
    turn();
    EXPECT_FALSE(same.result) << "its model is still busy, and does not block the next";
    EXPECT_TRUE(third.inside());
}

TEST_F(AdmissionTest, TakesTheFirstFreePlaceInTheOrderGiven) {
    const auto a = backend(1, 4, 0);
    const auto b = backend(1, 4, 1);
    EXPECT_EQ((*guest({{a, "m"}, {b, "m"}}).result)->place, 0U);
    EXPECT_EQ((*guest({{a, "m"}, {b, "m"}}).result)->place, 1U);
    EXPECT_EQ((*guest({{b, "x"}, {a, "x"}}).result)->place, 0U);
}

TEST_F(AdmissionTest, WhoCameFirstIsServedFirstAndANewcomerDoesNotPass) {
    const auto b = backend(1, 4);
    Guest& one = guest({{b, "m"}});
    Guest& two = guest({{b, "m"}});
    Guest& three = guest({{b, "m"}});
    one.result.reset();
    Guest& four = guest({{b, "m"}});  // comes in the moment in which the slot was passed on
    EXPECT_TRUE(two.inside());
    EXPECT_FALSE(three.result);
    EXPECT_FALSE(four.result);
    two.result.reset();
    turn();
    EXPECT_TRUE(three.inside());
}

TEST_F(AdmissionTest, AWaiterThatLeavesIsForgotten) {
    const auto b = backend(1, 4);
    Guest& one = guest({{b, "m"}});
    Guest& two = guest({{b, "m"}});
    Guest& three = guest({{b, "m"}});
    two.leave.emit(asio::cancellation_type::total);
    turn();
    EXPECT_EQ(admission_.waiting(), 1U);
    EXPECT_FALSE(two.inside());
    one.result.reset();
    turn();
    EXPECT_TRUE(three.inside());
}

TEST_F(AdmissionTest, ASlotGrantedToOneWhoLeavesInThatMomentIsPassedOn) {
    const auto b = backend(1, 4);
    Guest& one = guest({{b, "m"}});
    Guest& two = guest({{b, "m"}});
    Guest& three = guest({{b, "m"}});
    one.result.reset();  // granted to two, which has not run since
    two.leave.emit(asio::cancellation_type::total);
    turn();
    two.result.reset();
    turn();
    EXPECT_TRUE(three.inside());
    three.result.reset();
    EXPECT_EQ(admission_.in_flight(), 0U);
}

TEST_F(AdmissionTest, AWaiterWhoseCoroutineIsDestroyedGivesItsSlotOn) {
    const auto b = backend(1, 4);
    auto other = std::make_unique<asio::io_context>(1);
    Guest& one = guest({{b, "m"}});
    guests_.emplace_back(*other, admission_, std::vector<Place>{{b, "m"}});
    other->poll();
    Guest& three = guest({{b, "m"}});
    EXPECT_EQ(admission_.waiting(), 2U);
    one.result.reset();  // granted to the one whose context dies now
    other.reset();
    turn();
    EXPECT_TRUE(three.inside());
}

TEST_F(AdmissionTest, BoundsTheQueueAndTheWait) {
    const auto b = backend(1, 4);
    Guest& one = guest({{b, "m"}});
    Guest& late = guest({{b, "m"}}, {1, Milliseconds(1)});
    Guest& full = guest({{b, "m"}}, {1, Milliseconds(1)});
    EXPECT_EQ(full.refused(), Errc::queue_full);
    EXPECT_EQ(full.depth, 1U);
    context_.restart();
    context_.run();
    EXPECT_EQ(late.refused(), Errc::queue_timeout);
    EXPECT_EQ(admission_.waiting(), 0U);
    EXPECT_TRUE(one.inside());
}

TEST_F(AdmissionTest, ClosingSendsEverybodyAway) {
    const auto b = backend(1, 4);
    Guest& one = guest({{b, "m"}});
    Guest& two = guest({{b, "m"}});
    admission_.close();
    turn();
    EXPECT_EQ(two.refused(), Errc::shutting_down);
    EXPECT_EQ(guest({{b, "n"}}).refused(), Errc::shutting_down);
    one.result.reset();
    EXPECT_EQ(admission_.in_flight(), 0U);
}

TEST_F(AdmissionTest, TellsWhoRunsAndWhoWaitsWhere) {
    const auto a = backend(1, 1, 0);
    const auto b = backend(1, 1, 1);
    guest({{a, "m"}});
    guest({{b, "m"}});
    guest({{a, "m"}, {b, "m"}});
    const std::vector<std::shared_ptr<upstream::Backend>> all{a, b};
    std::vector<Occupancy> out;
    admission_.occupancy(all, out);
    ASSERT_EQ(out.size(), 2U);
    for (const Occupancy& one : out) {
        EXPECT_EQ(one.in_flight, 1U);
        EXPECT_EQ(one.running[1], 1U);
        EXPECT_EQ(one.waiting[1], 1U);
        EXPECT_DOUBLE_EQ(one.weighted(1), 2.0);
    }
}

asio::awaitable<void> come_and_go(Admission& admission, std::vector<Place> places, int rounds,
                                  unsigned seed, std::atomic<int>& inside, std::atomic<bool>& over,
                                  int limit) {
    std::mt19937 random(seed);
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    for (int i = 0; i < rounds; ++i) {
        std::size_t depth = 0;
        // some give up after no time at all, in the middle of being granted
        const Admission::Settings settings{1000, Milliseconds(random() % 3 == 0 ? 0 : 5000)};
        auto admitted =
            co_await admission.acquire(places, Priority::normal, kNever, settings, depth);
        if (!admitted) continue;
        if (++inside > limit) over = true;
        if (random() % 2 == 0) {
            timer.expires_after(std::chrono::microseconds(random() % 50));
            co_await timer.async_wait(asio::use_awaitable);
        }
        --inside;
    }
}

TEST(Admission, HoldsItsBoundsUnderManyThreads) {
    Admission admission;
    const std::vector<Place> places{{backend(2, 2, 0), "m"}, {backend(1, 1, 1), "m"}};
    std::atomic<int> inside{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            asio::io_context context{1};
            for (unsigned i = 0; i < 8; ++i) {
                asio::co_spawn(context,
                               come_and_go(admission, places, 100, t * 8 + i, inside, over, 3),
                               [](const std::exception_ptr&) {});
            }
            context.run();
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(over);
    EXPECT_EQ(admission.in_flight(), 0U);
    EXPECT_EQ(admission.waiting(), 0U);
}

}  // namespace
}  // namespace ollama_proxy::router
