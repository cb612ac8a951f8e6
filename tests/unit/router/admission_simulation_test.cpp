// The slots and the queue of the daemon under random arrivals, faults, leaves and reloads, in
// virtual time. OLLAMA_PROXY_SIMULATION_SEEDS sets how many seeds run (10,000, and 300 under a
// sanitizer); a failure names its seed, and OLLAMA_PROXY_SIMULATION_SEED runs that one alone.
#include "router/admission_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OLLAMA_PROXY_SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OLLAMA_PROXY_SLOW_BUILD 1
#endif
#endif

namespace ollama_proxy::router {
namespace {

#ifdef OLLAMA_PROXY_SLOW_BUILD
constexpr unsigned kSeeds = 300;
#else
constexpr unsigned kSeeds = 10000;
#endif
constexpr int kSteps = 150;

enum class Phase {
    waiting,   ///< in the queue, or granted without having noticed
    running,   ///< holds a slot
    done,      ///< answered
    refused,   ///< 429: full, or evicted
    late,      ///< its deadline passed in the queue
    left,      ///< its client went away
    sent_off,  ///< the daemon stopped
};

struct Request {
    std::uint64_t ticket = 0;
    Priority level = Priority::normal;
    std::string client;
    TimePoint since;
    TimePoint deadline;
    Phase phase = Phase::waiting;
    std::vector<std::size_t> tried;  ///< backends that failed it
    std::unique_ptr<Waiter> waiter;
    std::vector<Place> places;
    HeldSlot slot;  ///< while running
    std::unique_ptr<Preemptible> preemptible;
    std::string model;
    int ends = 0;  ///< how often it came to an end: once
};

class World {
  public:
    explicit World(unsigned seed) : random_(seed) {
        const std::size_t backends = 1 + random_() % 4;
        for (std::size_t i = 0; i < backends; ++i) {
            names_.push_back("backend-" + std::to_string(i));
            capacity_.emplace_back();
            listed_.push_back(true);
        }
        reload();
    }

    void run() {
        for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
            now_ += Milliseconds(random_() % 400);
            const unsigned what = random_() % 100;
            if (what < 45) {
                arrive();
            } else if (what < 70) {
                finish(random_() % 4 == 0);
            } else if (what < 76) {
                leave();
            } else if (what < 78) {
                reload();
            } else {
                notice(1 + random_() % 3);
            }
            expire();
            check();
        }
        wind_down();
    }

  private:
    using Bells = AdmissionCore::Bells;

    // --- what happens -------------------------------------------------------------------------

    void arrive() {
        Request& one = requests_.emplace_back();
        one.ticket = core_.next_ticket();
        one.level = static_cast<Priority>(random_() % 4);
        one.client = "client-" + std::to_string(random_() % 4);
        one.since = now_;
        one.deadline = now_ + Milliseconds(random_() % 60000);
        one.model = "model-" + std::to_string(random_() % 3);
        look_for_slot(one, false);
    }

    void look_for_slot(Request& one, bool returning) {
        set_places(one);
        if (one.places.empty()) return end(one, Phase::done);  // nobody is left to ask
        Bells bells;
        for (const Place& place : one.places) {
            const auto waiting_before = who_waits();
            auto slot = core_.try_take(place, one.level, now_, bells);
            ring(bells);
            note_granted(waiting_before);
            if (!slot) continue;
            start(one, std::move(*slot));
            return check_grant(one, one.slot, place.capacity);
        }
        one.waiter = std::make_unique<Waiter>(one.level, one.client, one.since, one.ticket);
        one.waiter->bell = std::make_shared<std::size_t>(index_of(one));
        one.phase = Phase::waiting;
        const auto waiting_before = who_waits();
        core_.enter(*one.waiter, one.places, returning, now_, bells);
        ring(bells);
        note_granted(waiting_before);
        if (one.waiter->state == WaitState::outside) {
            EXPECT_GE(core_.waiting(), settings_.max_size) << "refused though there was room";
            end(one, Phase::refused);
        } else if (one.waiter->state != WaitState::waiting) {
            bells_.push_back(index_of(one));
        }
    }

    void start(Request& one, HeldSlot slot) {
        EXPECT_NE(one.phase, Phase::running) << "run twice";
        EXPECT_EQ(slot.level, one.level);
        one.phase = Phase::running;
        one.slot = std::move(slot);
        one.waiter.reset();
        if (one.level != Priority::best_effort) return;
        one.preemptible = std::make_unique<Preemptible>();
        one.preemptible->backend = one.slot.backend;
        one.preemptible->model = one.slot.model;
        one.preemptible->since = one.since;
        one.preemptible->bell = std::make_shared<std::size_t>(index_of(one));
        core_.offer(*one.preemptible);
    }

    void give_back(Request& one) {
        one.preemptible.reset();
        one.phase = Phase::waiting;
        Bells bells;
        const auto waiting_before = who_waits();
        core_.release(one.slot, Milliseconds(random_() % 5000), now_, bells);
        ring(bells);
        note_granted(waiting_before);
    }

    /// A running request ends, or its backend fails it and it looks for another.
    void finish(bool fault) {
        Request* one = pick(Phase::running);
        if (!one) return;
        const bool kept = !one->preemptible || core_.withdraw(*one->preemptible);
        const auto backend = backend_of(one->slot.backend);
        give_back(*one);
        if (!kept) return look_for_slot(*one, true);
        if (!fault) return end(*one, Phase::done);
        one->tried.push_back(backend);
        look_for_slot(*one, true);
    }

    /// Its slot was granted while a reload took the backend away.
    void go_elsewhere(Request& one) {
        if (one.preemptible) (void)core_.withdraw(*one.preemptible);
        give_back(one);
        look_for_slot(one, true);
    }

    void leave() {
        Request* one = pick(random_() % 2 == 0 ? Phase::waiting : Phase::running);
        if (!one) return;
        if (one->phase == Phase::running) {
            if (one->preemptible) (void)core_.withdraw(*one->preemptible);
            give_back(*one);
        } else {
            leave_queue(*one);
        }
        end(*one, Phase::left);
    }

    void leave_queue(Request& one) {
        Bells bells;
        const auto waiting_before = who_waits();
        core_.leave(*one.waiter, now_, bells);
        EXPECT_EQ(one.waiter->state, WaitState::outside);
        ring(bells);
        note_granted(waiting_before);
    }

    void expire() {
        for (Request& one : requests_) {
            if (one.phase != Phase::waiting || one.deadline > now_) continue;
            leave_queue(one);
            end(one, Phase::late);
        }
    }

    void reload() {
        settings_.max_size = random_() % 4 == 0 ? random_() % 3 : 5 + random_() % 20;
        settings_.aging = Milliseconds(100 + random_() % 8000);
        settings_.critical_overcommit = random_() % 3;
        settings_.reserved_slots = random_() % 3;
        settings_.preempt_best_effort = random_() % 2 == 0;
        core_.configure(settings_);
        for (Capacity& one : capacity_) {
            one.per_model = 1 + random_() % 3;
            one.in_all = one.per_model + random_() % 4;
        }
        // backends come and go too; who has a slot at one that is gone keeps it to the end
        for (std::size_t i = 0; i < listed_.size(); ++i) listed_[i] = random_() % 4 > 0;
        size_bound_ = std::max(settings_.max_size, core_.waiting());
        limit_ = random_() % 3 == 0 ? std::optional<std::size_t>(1 + random_() % 4) : std::nullopt;
        core_.limit(limit_);
        limit_bound_ = core_.in_flight();  // a smaller limit sends nobody away
        Bells bells;
        core_.ask_again({}, bells);
        ring(bells);
        reloading_ = true;  // until everybody has heard, some go by the old numbers
        notice(bells_.size());
        reloading_ = false;
    }

    /// Some of those who were rung notice it.
    void notice(std::size_t count) {
        for (; count > 0 && !bells_.empty(); --count) {
            Request& one = requests_[bells_.front()];
            bells_.pop_front();
            if (one.phase == Phase::running) {
                if (!one.preemptible || !one.preemptible->taken_back) continue;
                (void)core_.withdraw(*one.preemptible);
                give_back(one);
                look_for_slot(one, true);
                continue;
            }
            if (one.phase != Phase::waiting) continue;  // rung, but it had left
            const AdmissionCore::Standing standing = core_.claim(*one.waiter);
            switch (standing.state) {
                case WaitState::granted:
                    EXPECT_EQ(one.places.at(standing.place).backend, standing.slot.backend);
                    start(one, standing.slot);
                    if (!listed_[backend_of(one.slot.backend)]) go_elsewhere(one);
                    break;
                case WaitState::evicted:
                    end(one, Phase::refused);
                    break;
                case WaitState::closed:
                    end(one, Phase::sent_off);
                    break;
                case WaitState::waiting: {
                    if (!standing.asked_again) break;
                    Bells bells;
                    set_places(one);
                    if (one.places.empty()) {
                        leave_queue(one);
                        end(one, Phase::done);  // told that nobody is left
                        break;
                    }
                    const auto waiting_before = who_waits();
                    EXPECT_TRUE(core_.replace(*one.waiter, one.places, now_, bells));
                    ring(bells);
                    note_granted(waiting_before);
                    break;
                }
                case WaitState::outside:
                    FAIL() << "waits for nothing";
            }
        }
    }

    void wind_down() {
        if (random_() % 2 == 0) {
            Bells bells;
            core_.close(bells);
            ring(bells);
        }
        for (int round = 0; round < 100000; ++round) {
            notice(bells_.size());
            if (!pick(Phase::running) && bells_.empty()) break;
            now_ += Milliseconds(50);
            finish(false);
        }
        for (const Request& one : requests_) {
            EXPECT_NE(one.phase, Phase::running);
            EXPECT_NE(one.phase, Phase::waiting) << "lost";
            EXPECT_EQ(one.ends, 1) << "every request ends once";
        }
        EXPECT_EQ(core_.in_flight(), 0U) << "a slot has leaked";
        EXPECT_EQ(core_.waiting(), 0U);
        for (const std::string& name : names_) EXPECT_EQ(core_.occupancy(name).in_flight, 0U);
    }

    // --- what must hold -----------------------------------------------------------------------

    void check() {
        EXPECT_LE(core_.waiting(), size_bound_);
        size_bound_ = std::max(settings_.max_size, core_.waiting());
        limit_bound_ = std::min(limit_bound_, core_.in_flight());
        std::size_t waiting = 0;
        std::size_t granted = 0;
        for (const Request& one : requests_) {
            if (one.phase != Phase::waiting) continue;
            if (one.waiter->state == WaitState::waiting) {
                ++waiting;
                check_no_slot_idles_for(one);
            }
            if (one.waiter->state == WaitState::granted) ++granted;
        }
        EXPECT_EQ(core_.waiting(), waiting);
        std::size_t running = granted;
        for (const Request& one : requests_) {
            if (one.phase == Phase::running) ++running;
        }
        EXPECT_EQ(core_.in_flight(), running);
    }

    /// Whoever waits, waits because nothing that it may use is free.
    void check_no_slot_idles_for(const Request& one) {
        if (one.level == Priority::best_effort && settings_.reserved_slots > 0) return;
        if (limit_ && core_.in_flight() >= *limit_) return;
        for (const Place& place : one.places) {
            EXPECT_FALSE(has_room(place)) << "ticket " << one.ticket << " waits beside a free slot";
        }
    }

    [[nodiscard]] bool has_room(const Place& place) const {
        return taken(place.backend, place.model) < place.capacity.per_model &&
               taken(place.backend) < place.capacity.in_all;
    }

    /// Somebody was given `slot`: within the bounds, and nobody was passed who comes first?
    void check_grant(const Request& one, const HeldSlot& slot, const Capacity& capacity) {
        if (reloading_) return;
        if (limit_) {
            EXPECT_LE(core_.in_flight(), std::max(*limit_, limit_bound_));
        }
        if (slot.kind == SlotKind::plain) {
            EXPECT_LE(taken(slot.backend, slot.model), capacity.per_model);
            EXPECT_LE(taken(slot.backend), capacity.in_all);
        } else {
            EXPECT_EQ(one.level, Priority::critical);
            EXPECT_LE(taken(slot.backend, {}, SlotKind::extra), settings_.critical_overcommit);
        }
        for (const Request& other : requests_) {
            if (other.phase != Phase::waiting || !other.waiter) continue;
            if (other.waiter->state == WaitState::waiting) check_order(one, slot, other);
        }
    }

    /// The level that counts for the order.
    [[nodiscard]] long lifted(const Request& request) const {
        const auto lifts = (now_ - request.since) / settings_.aging;
        return std::min<long>(static_cast<long>(request.level) + static_cast<long>(lifts), 3);
    }

    void check_order(const Request& one, const HeldSlot& slot, const Request& other) {
        // under a limit what ends at one backend may go on at another; but turns are taken at each
        const bool anywhere = limit_ && (one.level != Priority::critical || lifted(other) < 3);
        const auto could_use = [&](const Place& place) {
            if (place.backend != slot.backend) return anywhere && has_room(place);
            return place.model == slot.model ||
                   (slot.kind == SlotKind::plain &&
                    taken(place.backend, place.model) < place.capacity.per_model);
        };
        if (std::ranges::none_of(other.places, could_use)) return;
        if (slot.kind == SlotKind::extra && other.level != Priority::critical) return;
        if (other.level == Priority::best_effort && settings_.reserved_slots > 0) return;
        if (one.level == other.level) {
            EXPECT_LT(one.ticket, other.ticket) << "within a level, who came first";
        }
        const bool first = lifted(one) > lifted(other) ||
                           (lifted(one) == lifted(other) && one.ticket < other.ticket);
        if (!first && one.level == Priority::critical && lifted(other) == 3) {
            // they take turns: between two that pass it one that was lifted like it gets a slot
            const unsigned lifted_so_far = lifted_grants_[std::string(slot.backend)];
            auto& [passed, since] =
                passed_.try_emplace({std::string(slot.backend), other.ticket}, 0U, lifted_so_far)
                    .first->second;
            EXPECT_LE(++passed, lifted_so_far - since + 2)
                << "ticket " << other.ticket << " is starved by critical ones";
            return;
        }
        EXPECT_TRUE(first) << "ticket " << one.ticket << " passed " << other.ticket
                           << ", which waited longer than ageing allows";
    }

    /// Looks at those who waited a moment ago and have been granted a slot since.
    void note_granted(const std::vector<std::size_t>& before) {
        for (const std::size_t index : before) {
            const Request& one = requests_[index];
            if (!one.waiter || one.waiter->state != WaitState::granted) continue;
            const bool to_the_top = one.level != Priority::critical && lifted(one) == 3;
            if (to_the_top) ++lifted_grants_[std::string(one.waiter->granted.backend)];
        }
        for (const std::size_t index : before) {
            const Request& one = requests_[index];
            if (!one.waiter || one.waiter->state != WaitState::granted) continue;
            check_grant(one, one.waiter->granted, one.places.at(one.waiter->place).capacity);
        }
    }

    // --- small things -------------------------------------------------------------------------

    [[nodiscard]] std::vector<std::size_t> who_waits() const {
        std::vector<std::size_t> out;
        for (std::size_t i = 0; i < requests_.size(); ++i) {
            const Request& one = requests_[i];
            if (one.phase == Phase::waiting && one.waiter &&
                one.waiter->state == WaitState::waiting) {
                out.push_back(i);
            }
        }
        return out;
    }

    /// Slots in use, those granted and not yet noticed included.
    [[nodiscard]] std::size_t taken(std::string_view backend, std::string_view model = {},
                                    SlotKind kind = SlotKind::plain) const {
        return static_cast<std::size_t>(std::ranges::count_if(requests_, [&](const Request& one) {
            const bool granted = one.phase == Phase::waiting && one.waiter &&
                                 one.waiter->state == WaitState::granted;
            if (!granted && one.phase != Phase::running) return false;
            const HeldSlot& slot = granted ? one.waiter->granted : one.slot;
            return slot.backend == backend && slot.kind == kind &&
                   (model.empty() || slot.model == model);
        }));
    }

    void set_places(Request& one) {
        one.places.clear();
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if (!listed_[i] || std::ranges::find(one.tried, i) != one.tried.end()) continue;
            one.places.push_back({names_[i], one.model, capacity_[i]});
        }
    }

    [[nodiscard]] std::size_t index_of(const Request& one) const { return one.ticket - 1; }
    [[nodiscard]] std::size_t backend_of(std::string_view name) const {
        return static_cast<std::size_t>(std::ranges::find(names_, name) - names_.begin());
    }

    Request* pick(Phase phase) {
        std::vector<Request*> all;
        for (Request& one : requests_) {
            if (one.phase == phase) all.push_back(&one);
        }
        return all.empty() ? nullptr : all[random_() % all.size()];
    }

    void ring(Bells& bells) {
        for (const auto& bell : bells) {
            bells_.push_back(*std::static_pointer_cast<std::size_t>(bell));
        }
        bells.clear();
    }

    void end(Request& one, Phase phase) {
        one.phase = phase;
        ++one.ends;
        if (one.waiter) {
            Bells bells;
            core_.leave(*one.waiter, now_, bells);
            EXPECT_TRUE(bells.empty());
            one.waiter.reset();
        }
    }

    std::mt19937 random_;
    TimePoint now_ = TimePoint{} + std::chrono::hours(1);
    config::Queue settings_;
    AdmissionCore core_;
    std::vector<std::string> names_;
    std::vector<Capacity> capacity_;
    std::vector<bool> listed_;  ///< in the configuration now
    std::deque<Request> requests_;
    std::deque<std::size_t> bells_;  ///< rung and not yet noticed
    bool reloading_ = false;
    std::map<std::string, unsigned> lifted_grants_;  ///< by backend, to those aged to the top
    /// By backend and ticket: how often passed by a critical one, and the number above at first.
    std::map<std::pair<std::string, std::uint64_t>, std::pair<unsigned, unsigned>> passed_;
    std::size_t size_bound_ = 0;
    std::optional<std::size_t> limit_;  ///< of what runs at once
    std::size_t limit_bound_ = 0;       ///< what ran when it was set, or less
};

unsigned from_environment(const char* name, unsigned otherwise) {
    const char* text = std::getenv(name);
    return text ? static_cast<unsigned>(std::atoi(text)) : otherwise;
}

TEST(AdmissionSimulation, KeepsItsPromisesWhateverHappens) {
    unsigned seed = from_environment("OLLAMA_PROXY_SIMULATION_SEED", 0);
    const unsigned last =
        seed > 0 ? seed : from_environment("OLLAMA_PROXY_SIMULATION_SEEDS", kSeeds);
    for (seed = std::max(seed, 1U); seed <= last; ++seed) {
        SCOPED_TRACE("OLLAMA_PROXY_SIMULATION_SEED=" + std::to_string(seed));
        World world(seed);
        world.run();
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace ollama_proxy::router
