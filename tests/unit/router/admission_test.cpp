#include "router/admission.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <thread>

namespace ollama_proxy::router {
namespace {

namespace asio = boost::asio;

Place place(std::string_view backend, std::string_view model, unsigned per_model,
            unsigned in_all = 4) {
    return {backend, model, {per_model, in_all}};
}

config::Queue queue_of(std::size_t max_size) {
    config::Queue settings;
    settings.max_size = max_size;
    return settings;
}

/// A slot at once or after a wait, as a request looks for one.
asio::awaitable<Result<std::optional<Admitted>>> enter(Admission& admission,
                                                       std::vector<Place> places,
                                                       Applicant applicant, Milliseconds timeout) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    for (std::size_t i = 0; i < places.size(); ++i) {
        auto permit = admission.try_acquire(places[i], applicant.level);
        if (permit) co_return std::optional(Admitted{std::move(*permit), i});
    }
    const auto executor = co_await asio::this_coro::executor;
    Stay stay(admission, executor, applicant);
    auto entered = stay.enter(places, false);
    if (!entered) co_return entered.error();
    const TimePoint limit = applicant.since + timeout;
    for (;;) {
        auto waited = co_await stay.wait(limit, kNever);
        if (!waited || *waited) co_return waited;
        if (!stay.replace(places)) continue;
    }
}

/// One request at the door.
struct Guest {
    Guest(asio::io_context& context, Admission& admission, std::vector<Place> places,
          Milliseconds timeout = Milliseconds(60000), Priority level = Priority::normal) {
        const Applicant applicant{level, "client", Clock::now(), admission.next_ticket()};
        asio::co_spawn(
            context, enter(admission, std::move(places), applicant, timeout),
            asio::bind_cancellation_slot(
                leave.slot(), [this](const std::exception_ptr& thrown,
                                     std::optional<Result<std::optional<Admitted>>> got) {
                    failed = thrown != nullptr;
                    result = std::move(got);
                }));
    }
    [[nodiscard]] bool inside() const { return result && result->has_value() && **result; }
    [[nodiscard]] std::size_t place() const { return (**result)->place; }
    [[nodiscard]] Errc refused() const {
        return result && !*result ? result->error().code : Errc::internal;
    }

    asio::cancellation_signal leave;
    std::optional<Result<std::optional<Admitted>>> result;
    bool failed = false;
};

class AdmissionTest : public testing::Test {
  protected:
    Guest& guest(std::vector<Place> places, Milliseconds timeout = Milliseconds(60000),
                 Priority level = Priority::normal) {
        Guest& one = guests_.emplace_back(context_, admission_, std::move(places), timeout, level);
        turn();
        return one;
    }
    void turn() {
        context_.restart();
        context_.poll();
    }

    Admission admission_;  // outlives the coroutines, which die with the context
    asio::io_context context_{1};
    std::deque<Guest> guests_;
};

TEST_F(AdmissionTest, CountsPerModelAndOverAll) {
    const auto at = [](std::string_view model) { return place("b", model, 1, 2); };
    Guest& one = guest({at("m")});
    Guest& same = guest({at("m")});
    Guest& other = guest({at("n")});
    Guest& third = guest({at("o")});
    EXPECT_TRUE(one.inside());
    EXPECT_FALSE(same.result);
    EXPECT_TRUE(other.inside());
    EXPECT_FALSE(third.result) << "over max_in_flight";
    EXPECT_EQ(admission_.waiting(), 2U);
    EXPECT_EQ(admission_.in_flight(), 2U);
    other.result.reset();  // gives the slot back
    turn();
    EXPECT_FALSE(same.result) << "its model is still busy, and does not block the next";
    EXPECT_TRUE(third.inside());
}

TEST_F(AdmissionTest, TakesTheFirstFreePlaceInTheOrderGiven) {
    const std::vector<Place> both{place("a", "m", 1), place("b", "m", 1)};
    EXPECT_EQ(guest(both).place(), 0U);
    EXPECT_EQ(guest(both).place(), 1U);
    EXPECT_EQ(guest({place("b", "x", 1), place("a", "x", 1)}).place(), 0U);
}

TEST_F(AdmissionTest, WhoCameFirstIsServedFirstAndANewcomerDoesNotPass) {
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& two = guest({b});
    Guest& three = guest({b});
    one.result.reset();
    Guest& four = guest({b});  // comes in the moment in which the slot was passed on
    EXPECT_TRUE(two.inside());
    EXPECT_FALSE(three.result);
    EXPECT_FALSE(four.result);
    two.result.reset();
    turn();
    EXPECT_TRUE(three.inside());
}

TEST_F(AdmissionTest, AWaiterThatLeavesIsForgotten) {
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& two = guest({b});
    Guest& three = guest({b});
    two.leave.emit(asio::cancellation_type::total);
    turn();
    EXPECT_EQ(admission_.waiting(), 1U);
    EXPECT_FALSE(two.inside());
    one.result.reset();
    turn();
    EXPECT_TRUE(three.inside());
}

TEST_F(AdmissionTest, ASlotGrantedToOneWhoLeavesInThatMomentIsPassedOn) {
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& two = guest({b});
    Guest& three = guest({b});
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
    const auto b = place("b", "m", 1);
    auto other = std::make_unique<asio::io_context>(1);
    Guest& one = guest({b});
    guests_.emplace_back(*other, admission_, std::vector<Place>{b});
    other->poll();
    Guest& three = guest({b});
    EXPECT_EQ(admission_.waiting(), 2U);
    one.result.reset();  // granted to the one whose context dies now
    other.reset();
    turn();
    EXPECT_TRUE(three.inside());
}

TEST_F(AdmissionTest, BoundsTheQueueAndTheWait) {
    admission_.configure(queue_of(1));
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& late = guest({b}, Milliseconds(1));
    Guest& full = guest({b}, Milliseconds(1));
    EXPECT_EQ(full.refused(), Errc::queue_full);
    EXPECT_GE(full.result->error().retry_after_s, 1);
    context_.restart();
    context_.run();
    EXPECT_EQ(late.refused(), Errc::queue_timeout);
    EXPECT_GE(late.result->error().retry_after_s, 1);
    EXPECT_EQ(admission_.waiting(), 0U);
    EXPECT_TRUE(one.inside());
}

TEST_F(AdmissionTest, WhoIsEvictedHearsItAtOnce) {
    admission_.configure(queue_of(1));
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& batch = guest({b}, Milliseconds(60000), Priority::best_effort);
    Guest& high = guest({b}, Milliseconds(60000), Priority::high);
    EXPECT_EQ(batch.refused(), Errc::queue_full);
    EXPECT_FALSE(high.result);
    one.result.reset();
    turn();
    EXPECT_TRUE(high.inside());
}

TEST_F(AdmissionTest, ALargerQueueOrMoreSlotsTakeEffectForWhoWaits) {
    config::Queue settings;
    settings.critical_overcommit = 0;
    admission_.configure(settings);
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& critical = guest({b}, Milliseconds(60000), Priority::critical);
    EXPECT_FALSE(critical.result);
    settings.critical_overcommit = 1;
    admission_.configure(settings);
    turn();
    EXPECT_TRUE(critical.inside());
    EXPECT_TRUE(one.inside());
}

TEST_F(AdmissionTest, ClosingSendsEverybodyAway) {
    const auto b = place("b", "m", 1);
    Guest& one = guest({b});
    Guest& two = guest({b});
    admission_.close();
    turn();
    EXPECT_EQ(two.refused(), Errc::shutting_down);
    EXPECT_EQ(guest({place("b", "n", 1)}).refused(), Errc::shutting_down);
    one.result.reset();
    EXPECT_EQ(admission_.in_flight(), 0U);
}

TEST_F(AdmissionTest, TellsWhoRunsAndWhoWaitsWhere) {
    struct Named {
        std::string name;
        [[nodiscard]] const std::string& id() const { return name; }
    };
    const Named a{"a"};
    const Named b{"b"};
    guest({place("a", "m", 1, 1)});
    guest({place("b", "m", 1, 1)});
    guest({place("a", "m", 1, 1), place("b", "m", 1, 1)});
    std::vector<Occupancy> out;
    admission_.occupancy(std::vector<const Named*>{&a, &b}, out);
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
        // some give up after no time at all, in the middle of being granted
        const Milliseconds timeout(random() % 3 == 0 ? 0 : 5000);
        const auto level = static_cast<Priority>(random() % 3);
        const Applicant applicant{level, "client", Clock::now(), admission.next_ticket()};
        auto entering = enter(admission, places, applicant, timeout);
        auto admitted = co_await std::move(entering);
        if (!admitted) continue;
        if (++inside > limit) over = true;
        if (random() % 2 == 0) {
            timer.expires_after(std::chrono::microseconds(random() % 50));
            co_await timer.async_wait(asio::use_awaitable);
        }
        if (random() % 8 == 0) admission.reconsider();
        --inside;
    }
}

TEST(Admission, HoldsItsBoundsUnderManyThreads) {
    Admission admission;
    const std::vector<Place> places{place("a", "m", 2, 2), place("b", "m", 1, 1)};
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

TEST_F(AdmissionTest, UnderALimitWhatIsMoreWaitsWhereverThereIsASlot) {
    admission_.limit(2);
    Guest& first = guest({place("a", "m", 4)});
    Guest& second = guest({place("b", "m", 4)});
    Guest& third = guest({place("a", "m", 4)});
    EXPECT_TRUE(first.inside());
    EXPECT_TRUE(second.inside());
    EXPECT_FALSE(third.result) << "there are slots, but two run already";
    EXPECT_TRUE(admission_.is_at_limit());
    second.result.reset();  // a slot that comes back at b lets one in at a
    turn();
    EXPECT_TRUE(third.inside());
}

TEST_F(AdmissionTest, UnderALimitTheFirstInOrderOfAllBackendsIsNext) {
    admission_.limit(1);
    Guest& running = guest({place("a", "m", 4)});
    Guest& batch = guest({place("a", "m", 4)}, Milliseconds(60000), Priority::best_effort);
    Guest& normal = guest({place("b", "m", 4), place("a", "m", 4)});
    Guest& high = guest({place("c", "m", 4)}, Milliseconds(60000), Priority::high);
    for (Guest* next : {&high, &normal, &batch}) {
        EXPECT_FALSE(next->result);
        (next == &high ? running : next == &normal ? high : normal).result.reset();
        turn();
        ASSERT_TRUE(next->inside());
    }
    EXPECT_EQ(admission_.in_flight(), 1U);
    batch.result.reset();
    EXPECT_EQ(admission_.in_flight(), 0U);
}

TEST_F(AdmissionTest, UnderALimitAWaiterGetsThePlaceThatItLikesBest) {
    admission_.limit(1);
    Guest& running = guest({place("b", "m", 4)});
    Guest& waiter = guest({place("z", "m", 4), place("a", "m", 4), place("b", "m", 4)});
    running.result.reset();
    turn();
    ASSERT_TRUE(waiter.inside());
    EXPECT_EQ(waiter.place(), 0U);
}

TEST_F(AdmissionTest, WhoIsNamedIsNotHeldBackByTheLimit) {
    admission_.limit(1);
    Guest& running = guest({place("a", "m", 4)});
    Place named = place("a", "m", 4);
    named.beyond_limit = true;
    EXPECT_TRUE(guest({named}).inside());
    EXPECT_TRUE(running.inside());
}

TEST_F(AdmissionTest, WhoIsNamedDoesNotWaitBehindOneThatTheLimitHoldsNorIsOvertaken) {
    admission_.limit(2);
    Place named = place("a", "m", 4);
    named.beyond_limit = true;
    Guest& first = guest({named});
    std::array<Guest*, 3> running{&guest({named}), &guest({named}), &guest({named})};
    Guest& held = guest({place("a", "m", 4)});  // the limit is passed
    Guest& waiter = guest({named});             // and now there is no slot either
    EXPECT_FALSE(held.result);
    EXPECT_FALSE(waiter.result);
    first.result.reset();
    Guest& newcomer = guest({named});
    EXPECT_TRUE(waiter.inside());
    EXPECT_FALSE(held.result);
    EXPECT_FALSE(newcomer.result);
    for (Guest* one : running) EXPECT_TRUE(one->inside());
}

TEST_F(AdmissionTest, WithoutTheLimitThoseWhoWaitedComeInWhenAskedAgain) {
    admission_.limit(1);
    Guest& running = guest({place("a", "m", 4)});
    Guest& one = guest({place("a", "m", 4)});
    Guest& two = guest({place("b", "m", 4)});
    admission_.limit(std::nullopt);
    admission_.reconsider();
    turn();
    EXPECT_TRUE(running.inside());
    EXPECT_TRUE(one.inside());
    EXPECT_TRUE(two.inside());
}

}  // namespace
}  // namespace ollama_proxy::router
