#include "router/priority_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace ollama_proxy::router {
namespace {

using std::chrono::seconds;

const TimePoint kStart = TimePoint{} + seconds(1000);
const std::vector<Place> kA{{"a", "m", {1, 4}}};
const std::vector<Place> kB{{"b", "m", {1, 4}}};
const std::vector<Place> kBoth{{"a", "m", {1, 4}}, {"b", "n", {1, 4}}};

constexpr auto kAnyone = [](const Place&, Priority, bool) { return true; };

class PriorityQueueTest : public testing::Test {
  protected:
    PriorityQueueTest() { queue_.configure({8, seconds(5)}); }
    ~PriorityQueueTest() override {
        queue_.for_each([&](Waiter& one) { queue_.remove(one); });
    }

    Waiter& waiter(Priority level, std::string client = "c", TimePoint since = kStart) {
        return waiters_.emplace_back(level, std::move(client), since, next_ticket_++);
    }
    Waiter& push(Priority level, const std::vector<Place>& places = kA, std::string client = "c",
                 TimePoint since = kStart) {
        Waiter& one = waiter(level, std::move(client), since);
        EXPECT_TRUE(queue_.push(one, places).entered);
        return one;
    }
    /// Fills what is left of the queue.
    void fill(Priority level, const std::string& client) {
        while (queue_.size() < queue_.settings().max_size) push(level, kA, client);
    }
    Waiter* pop(std::string_view backend, TimePoint now = kStart) {
        Waiter* one = queue_.next(backend, now, kAnyone).waiter;
        if (one) queue_.remove(*one);
        return one;
    }

    PriorityQueue queue_;
    std::deque<Waiter> waiters_;
    std::uint64_t next_ticket_ = 1;
};

TEST_F(PriorityQueueTest, ServesTheHigherLevelFirstAndTheOlderWithinALevel) {
    Waiter& batch = push(Priority::best_effort);
    Waiter& one = push(Priority::normal);
    Waiter& two = push(Priority::normal);
    Waiter& high = push(Priority::high);
    Waiter& critical = push(Priority::critical);
    for (Waiter* expected : {&critical, &high, &one, &two, &batch}) EXPECT_EQ(pop("a"), expected);
    EXPECT_EQ(pop("a"), nullptr);
    EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(PriorityQueueTest, AgeingLiftsOneLevelPerPeriodForTheOrder) {
    Waiter& batch = push(Priority::best_effort);
    const TimePoint later = kStart + seconds(6);
    Waiter& normal = push(Priority::normal, kA, "c", later);
    EXPECT_EQ(queue_.next("a", later, kAnyone).waiter, &batch) << "lifted to normal, and older";
    Waiter& high = push(Priority::high, kA, "c", later);
    EXPECT_EQ(queue_.next("a", later, kAnyone).waiter, &high);
    EXPECT_EQ(queue_.next("a", kStart + seconds(10), kAnyone).waiter, &batch);
    EXPECT_EQ(queue_.level_at(batch, kStart + seconds(1000)), 3U) << "critical is the top";
    EXPECT_EQ(queue_.by_level()[0], 1U) << "it is still counted as best-effort";
    EXPECT_EQ(queue_.level_at(normal, kStart), 1U) << "the clock of another worker may be behind";
}

TEST_F(PriorityQueueTest, WhoIsLiftedToTheTopAndWhoIsCriticalTakeTurns) {
    Waiter& one = push(Priority::high);
    Waiter& two = push(Priority::high);
    Waiter& batch = push(Priority::best_effort);
    const TimePoint later = kStart + seconds(20);
    Waiter& voice = push(Priority::critical, kA, "c", later);
    Waiter& music = push(Priority::critical, kA, "c", later);
    for (Waiter* expected : {&one, &voice, &two, &music, &batch}) {
        const auto choice = queue_.next("a", later, kAnyone);
        EXPECT_EQ(choice.waiter, expected);
        queue_.grant(choice);
    }
}

TEST_F(PriorityQueueTest, DifferentModelsAndBackendsNeverBlockEachOther) {
    const std::vector<Place> other_model{{"a", "n", {1, 4}}};
    push(Priority::critical, kA);
    Waiter& other = push(Priority::normal, other_model);
    Waiter& elsewhere = push(Priority::best_effort, kB);
    const auto only_n = [](const Place& place, Priority, bool) { return place.model == "n"; };
    const auto choice = queue_.next("a", kStart, only_n);
    EXPECT_EQ(choice.waiter, &other);
    EXPECT_EQ(choice.place.model, "n");
    EXPECT_EQ(queue_.next("b", kStart, kAnyone).waiter, &elsewhere);
    EXPECT_EQ(queue_.next("c", kStart, kAnyone).waiter, nullptr);
}

TEST_F(PriorityQueueTest, AWaiterStandsInLineEverywhereAndLeavesEverywhere) {
    Waiter& both = push(Priority::normal, kBoth);
    EXPECT_EQ(queue_.waiting_for("a")[1], 1U);
    EXPECT_EQ(queue_.waiting_for("b")[1], 1U);
    const auto choice = queue_.next("b", kStart, kAnyone);
    EXPECT_EQ(choice.waiter, &both);
    EXPECT_EQ(choice.index, 1U);
    queue_.remove(both);
    EXPECT_EQ(both.state, WaitState::outside);
    EXPECT_EQ(queue_.waiting_for("a")[1], 0U);
    EXPECT_EQ(pop("a"), nullptr);
    EXPECT_EQ(pop("b"), nullptr);
}

TEST_F(PriorityQueueTest, WhoWaitsKnowsTheLatestCapacityOfItsPlace) {
    push(Priority::normal);
    queue_.note_capacity({"a", "m", {3, 9}});
    queue_.note_capacity({"a", "n", {7, 7}});
    EXPECT_EQ(queue_.next("a", kStart, kAnyone).place.capacity.per_model, 3U);
}

TEST_F(PriorityQueueTest, TheLevelThatMayNotDoesNotHoldUpTheOthers) {
    push(Priority::normal);
    Waiter& critical = push(Priority::critical);
    Waiter& batch = push(Priority::best_effort);
    const auto no_critical = [](const Place&, Priority level, bool) {
        return level != Priority::critical;
    };
    EXPECT_NE(queue_.next("a", kStart, no_critical).waiter, &critical);
    const auto aged_only = [](const Place&, Priority, bool aged) { return aged; };
    EXPECT_EQ(queue_.next("a", kStart, aged_only).waiter, nullptr);
    const auto aged_batch = [](const Place&, Priority level, bool aged) {
        return level == Priority::best_effort && aged;
    };
    EXPECT_EQ(queue_.next("a", kStart + seconds(5), aged_batch).waiter, &batch);
}

TEST_F(PriorityQueueTest, AReplacedWaiterKeepsItsPosition) {
    Waiter& first = push(Priority::normal, kB);
    Waiter& second = push(Priority::normal, kA);
    queue_.replace(first, kBoth);
    EXPECT_EQ(queue_.next("a", kStart, kAnyone).waiter, &first);
    EXPECT_EQ(queue_.waiting_for("b")[1], 1U);
    queue_.replace(first, kB);
    EXPECT_EQ(queue_.next("a", kStart, kAnyone).waiter, &second);
    EXPECT_EQ(queue_.size(), 2U);
}

TEST_F(PriorityQueueTest, WhoComesBackStandsWhereItsTicketSays) {
    Waiter& early = waiter(Priority::best_effort);
    Waiter& next = push(Priority::best_effort);
    push(Priority::best_effort);
    EXPECT_TRUE(queue_.push(early, kA, true).entered);
    EXPECT_EQ(pop("a"), &early);
    EXPECT_EQ(pop("a"), &next);
}

TEST_F(PriorityQueueTest, AHigherArrivalEvictsTheYoungestOfTheLowestLevel) {
    push(Priority::best_effort, kA, "x");
    Waiter& youngest = push(Priority::best_effort, kA, "y");
    for (const char* client : {"p", "q", "r", "s", "t", "u"}) push(Priority::high, kA, client);
    Waiter& normal = waiter(Priority::normal, "z");
    const auto entry = queue_.push(normal, kA);
    EXPECT_TRUE(entry.entered);
    EXPECT_EQ(entry.evicted, &youngest);
    EXPECT_EQ(youngest.state, WaitState::evicted);
    EXPECT_EQ(queue_.size(), 8U);
}

TEST_F(PriorityQueueTest, TheLastOnesOfALevelAreSpared) {
    queue_.configure({32, seconds(5)});
    for (int i = 0; i < 3; ++i) push(Priority::best_effort, kA, "b" + std::to_string(i));
    Waiter& third = waiters_.back();
    for (int i = 3; i < 32; ++i) push(Priority::normal, kA, "c" + std::to_string(i));
    Waiter& normal_youngest = waiters_.back();
    Waiter& one = waiter(Priority::high, "x");
    EXPECT_EQ(queue_.push(one, kA).evicted, &third);
    Waiter& two = waiter(Priority::high, "y");
    EXPECT_EQ(queue_.push(two, kA).evicted, &normal_youngest)
        << "the two that have waited longest stay, and are not starved";
    Waiter& other = waiter(Priority::normal, "z");
    EXPECT_FALSE(queue_.push(other, kA).entered);
    EXPECT_EQ(queue_.by_level()[0], 2U);
}

TEST_F(PriorityQueueTest, AFullQueueRefusesWhatIsNoMoreImportant) {
    for (const char* client : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
        push(Priority::normal, kA, client);
    }
    Waiter& normal = waiter(Priority::normal, "z");
    EXPECT_FALSE(queue_.push(normal, kA).entered);
    EXPECT_EQ(normal.state, WaitState::outside);
    Waiter& batch = waiter(Priority::best_effort, "z");
    EXPECT_FALSE(queue_.push(batch, kA).entered);
    EXPECT_EQ(queue_.size(), 8U);
}

TEST_F(PriorityQueueTest, TheClientWithMostWaitersLosesFirst) {
    push(Priority::normal, kA, "modest");
    fill(Priority::normal, "greedy");
    Waiter& youngest = waiters_.back();
    Waiter& newcomer = waiter(Priority::normal, "newcomer");
    EXPECT_EQ(queue_.push(newcomer, kA).evicted, &youngest);
    Waiter& own = waiter(Priority::normal, "greedy");
    EXPECT_FALSE(queue_.push(own, kA).entered) << "the greedy one does not push out the modest";
    Waiter& low = waiter(Priority::best_effort, "another");
    EXPECT_FALSE(queue_.push(low, kA).entered) << "never for a lower level";
}

TEST_F(PriorityQueueTest, TheGreedyClientGivesUpItsLowestLevelFirst) {
    push(Priority::best_effort, kA, "modest");
    Waiter& batch = push(Priority::best_effort, kA, "greedy");
    fill(Priority::normal, "greedy");
    Waiter& critical = waiter(Priority::critical, "newcomer");
    EXPECT_EQ(queue_.push(critical, kA).evicted, &batch);
    Waiter& own = waiter(Priority::high, "greedy");
    Waiter* lost = queue_.push(own, kA).evicted;
    ASSERT_NE(lost, nullptr) << "its own lower level goes for its own higher one";
    EXPECT_EQ(lost->client, "greedy");
    EXPECT_EQ(lost->level, Priority::normal);
}

TEST_F(PriorityQueueTest, TwoClientsWithEqualSharesDoNotPushEachOtherOut) {
    for (int i = 0; i < 4; ++i) {
        push(Priority::normal, kA, "one");
        push(Priority::normal, kA, "two");
    }
    Waiter& again = waiter(Priority::normal, "one");
    EXPECT_FALSE(queue_.push(again, kA).entered);
    queue_.remove(waiters_[0]);
    Waiter& third = waiter(Priority::normal, "two");
    EXPECT_TRUE(queue_.push(third, kA).entered);
    Waiter& fourth = waiter(Priority::normal, "one");
    EXPECT_TRUE(queue_.push(fourth, kA).evicted) << "3 against 5: two has clearly more";
    Waiter& fifth = waiter(Priority::normal, "two");
    EXPECT_FALSE(queue_.push(fifth, kA).entered) << "4 against 4";
}

TEST_F(PriorityQueueTest, WhoComesBackIsTakenForAYoungerOneOfItsLevel) {
    Waiter& early = waiter(Priority::best_effort, "early");
    for (const char* client : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
        push(Priority::best_effort, kA, client);
    }
    Waiter& youngest = waiters_.back();
    EXPECT_FALSE(queue_.push(early, kA).entered);
    EXPECT_EQ(queue_.push(early, kA, true).evicted, &youngest);
    Waiter& late = waiter(Priority::best_effort, "late");
    EXPECT_FALSE(queue_.push(late, kA, true).entered) << "nobody is younger";
}

TEST_F(PriorityQueueTest, ASizeOfNothingLetsNobodyWait) {
    queue_.configure({0, seconds(5)});
    Waiter& one = waiter(Priority::critical);
    EXPECT_FALSE(queue_.push(one, kA).entered);
}

/// What the queue must do, written the slow and plain way.
struct Model {
    std::vector<std::pair<Waiter*, std::vector<Place>>> all;

    Waiter* next(const PriorityQueue& queue, std::string_view backend, TimePoint now) const {
        Waiter* best = nullptr;
        for (const auto& [one, places] : all) {
            const bool here = std::ranges::any_of(
                places, [&](const Place& place) { return place.backend == backend; });
            if (!here) continue;
            const auto key = [&](const Waiter& w) {
                return std::pair(-static_cast<int>(queue.level_at(w, now)), w.ticket);
            };
            if (!best || key(*one) < key(*best)) best = one;
        }
        return best;
    }
};

TEST(PriorityQueue, AgreesWithAPlainModelUnderRandomUse) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        PriorityQueue queue;
        queue.configure({20, seconds(3)});
        std::deque<Waiter> waiters;
        Model model;
        const auto forget = [&](Waiter* one) {
            std::erase_if(model.all, [&](const auto& entry) { return entry.first == one; });
        };
        TimePoint now = kStart;
        const std::vector<Place> choices[] = {kA, kB, kBoth, {{"b", "n", {1, 4}}}};
        for (int step = 0; step < 300; ++step) {
            now += Milliseconds(random() % 500);
            const unsigned what = random() % 10;
            if (what < 5) {
                Waiter& one = waiters.emplace_back(static_cast<Priority>(random() % 3),  // no turns
                                                   std::to_string(random() % 3), now, step + 1);
                const auto& places = choices[random() % 4];
                const auto entry = queue.push(one, places);
                if (entry.evicted) {
                    ASSERT_LE(entry.evicted->level, one.level) << "seed " << seed;
                    forget(entry.evicted);
                }
                if (entry.entered) model.all.emplace_back(&one, places);
            } else if (what < 6 && !model.all.empty()) {
                Waiter* one = model.all[random() % model.all.size()].first;
                queue.remove(*one);
                forget(one);
            } else if (what < 7 && !model.all.empty()) {
                auto& [one, places] = model.all[random() % model.all.size()];
                places = choices[random() % 4];
                queue.replace(*one, places);
            } else {
                const std::string_view backend = random() % 2 == 0 ? "a" : "b";
                Waiter* one = queue.next(backend, now, kAnyone).waiter;
                ASSERT_EQ(one, model.next(queue, backend, now)) << "seed " << seed;
                if (one) {
                    queue.remove(*one);
                    forget(one);
                }
            }
            ASSERT_EQ(queue.size(), model.all.size());
            ASSERT_LE(queue.size(), 20U);
        }
        queue.for_each([&](Waiter& one) { queue.remove(one); });
        ASSERT_EQ(queue.size(), 0U);
    }
}

}  // namespace
}  // namespace ollama_proxy::router
