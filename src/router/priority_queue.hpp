#pragma once

#include "router/client_shares.hpp"
#include "router/queue_waiter.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

namespace queue_detail {

using SeatList = intrusive::list<Seat, intrusive::member_hook<Seat, Hook, &Seat::hook>,
                                 intrusive::constant_time_size<false>>;

using LevelList = intrusive::list<Waiter, intrusive::member_hook<Waiter, Hook, &Waiter::in_level>,
                                  intrusive::constant_time_size<false>>;

struct Line;

/// Those who wait for one model on one backend, a list per level, oldest first.
struct Group {
    std::string_view model;  ///< the key under which the line keeps it
    Line* line = nullptr;
    std::size_t size = 0;
    Capacity capacity;  ///< the latest that somebody told
    /// Whom the mode's limit does not hold stands apart: else one that it holds is in the way.
    struct Seats {
        std::array<SeatList, kPriorities> held_by_limit;
        std::array<SeatList, kPriorities> beyond_limit;
    } seats;

    [[nodiscard]] SeatList& list_of(const Seat& seat, std::size_t level) {
        return (seat.beyond_limit ? seats.beyond_limit : seats.held_by_limit)[level];
    }
};

/// Those who wait for one backend.
struct Line {
    std::string_view backend;
    TextMap<Group> groups;
    std::array<std::size_t, kPriorities> waiting{};
    bool critical_turn = false;  ///< the last slot went to one lifted past a critical one
};

}  // namespace queue_detail

/// Who waits, in which order, and who has to go when there are too many. Four levels, first come
/// first served within one; ageing lifts a waiter for the order alone. A waiter stands in line at
/// every place that it may use, so that different models and backends never block each other.
/// Pure: takes `now`, owns no waiter, touches no lock. A waiter must be removed before it dies.
class PriorityQueue {
  public:
    struct Settings {
        std::size_t max_size = 512;
        Milliseconds aging{5000};
    };

    PriorityQueue() = default;
    PriorityQueue(const PriorityQueue&) = delete;
    PriorityQueue& operator=(const PriorityQueue&) = delete;

    void configure(const Settings& settings) { settings_ = settings; }
    [[nodiscard]] const Settings& settings() const { return settings_; }

    struct Entry {
        bool entered = false;       ///< false: the queue is full of what matters as much
        Waiter* evicted = nullptr;  ///< who had to go for it; out of the queue already
    };
    /// Puts a waiter in line at all its places. Full: the client with most waiters loses its
    /// youngest of its lowest level, else the youngest of the lowest level in all goes for one of
    /// a higher level, else the new one is not taken. The last sixteenth of the queue that a lower
    /// level has is spared. `returning`: it held a slot or waited before,
    /// so a younger one of its own level goes for it too.
    [[nodiscard]] Entry push(Waiter& waiter, std::span<const Place> places, bool returning = false);
    /// Takes a waiter out. Cost: its places, whatever the length of the queue.
    void remove(Waiter& waiter);
    /// Where a waiter may go has changed; it keeps its position by its ticket.
    void replace(Waiter& waiter, std::span<const Place> places);

    /// What a place offers now, for those who wait there already.
    void note_capacity(const Place& place);

    struct Choice {
        Waiter* waiter = nullptr;
        Place place;                      ///< views of the queue's own: valid until it is removed
        std::size_t index = 0;            ///< of the place in what the waiter asked for
        bool passes_critical = false;     ///< a younger critical one would have taken it
        const Waiter* turn_of = nullptr;  ///< it is critical, and has the slot in this one's place
    };
    /// The first in order of those who wait for `backend` and for whom
    /// `may(place, level, aged)` holds. Looks at the oldest of each level and model only. Who was
    /// lifted to the top and who is critical by itself take turns where both want a slot: else a
    /// long queue that has aged as a whole would keep voice waiting behind it.
    template <class May>
    [[nodiscard]] Choice next(std::string_view backend, TimePoint now, const May& may) const;

    /// Calls `f(backend)` for each backend that somebody waits for.
    template <class F>
    void for_each_backend(const F& f) const {
        for (const auto& [backend, line] : lines_) f(std::string_view(backend));
    }
    /// Of two choices for two backends the one that has its turn first; of the same waiter's turn
    /// the place that comes first.
    [[nodiscard]] bool is_before(const Choice& a, const Choice& b, TimePoint now) const;

    /// Takes out who was chosen and has got its slot.
    void grant(const Choice& choice);
    /// The level that counts for the order: one more per `aging` since its arrival.
    [[nodiscard]] std::size_t level_at(const Waiter& waiter, TimePoint now) const {
        return lifted(waiter.level, waiter.since, now);
    }
    [[nodiscard]] bool is_lifted(const Waiter& waiter, TimePoint now) const {
        return level_at(waiter, now) > static_cast<std::size_t>(waiter.level);
    }
    [[nodiscard]] std::size_t lifted(Priority level, TimePoint since, TimePoint now) const;

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const std::array<std::size_t, kPriorities>& by_level() const { return sizes_; }
    /// How many of each level may use a backend.
    [[nodiscard]] std::array<std::size_t, kPriorities> waiting_for(std::string_view backend) const;
    [[nodiscard]] static bool waits_for(const Waiter& waiter, std::string_view backend);
    /// Calls `f(Waiter&)` for everybody, by level; `f` may remove the one it is given.
    template <class F>
    void for_each(const F& f);

  private:
    void enter(Waiter& waiter, std::span<const Place> places);
    void sit_down(Waiter& waiter, std::span<const Place> places);
    void stand_up(Waiter& waiter);
    [[nodiscard]] Waiter* loser_for(const Waiter& arrival, bool returning);

    Settings settings_;
    std::size_t size_ = 0;
    std::array<std::size_t, kPriorities> sizes_{};
    std::array<queue_detail::LevelList, kPriorities> levels_;  ///< everybody, oldest first
    TextMap<queue_detail::Line> lines_;                        ///< by backend
    ClientShares shares_;
};

template <class May>
PriorityQueue::Choice PriorityQueue::next(std::string_view backend, TimePoint now,
                                          const May& may) const {
    constexpr auto kTop = static_cast<std::size_t>(Priority::critical);
    Choice best;
    Choice critical;  // the first of those that are critical by themselves
    std::size_t best_level = 0;
    const auto line = lines_.find(backend);
    if (line == lines_.end()) return best;
    const auto consider = [&](const queue_detail::Group& group, const auto& levels) {
        for (std::size_t level = 0; level < kPriorities; ++level) {
            if (levels[level].empty()) continue;
            // the oldest of a level is the one that was lifted most: who comes behind it never
            // may what it may not
            const queue_detail::Seat& seat = levels[level].front();
            const std::size_t lifted = level_at(*seat.waiter, now);
            const auto before = [&](const Choice& other) {
                return !other.waiter || seat.waiter->ticket < other.waiter->ticket;
            };
            const bool first =
                lifted > best_level || (lifted == best_level && before(best)) || !best.waiter;
            const bool first_critical = level == kTop && before(critical);
            if (!first && !first_critical) continue;
            const Place place{line->second.backend, group.model, group.capacity, seat.beyond_limit};
            if (!may(place, static_cast<Priority>(level), lifted > level)) continue;
            const Choice found{seat.waiter, place, seat.place, false, nullptr};
            if (first_critical) critical = found;
            if (!first) continue;
            best = found;
            best_level = lifted;
        }
    };
    for (const auto& [model, group] : line->second.groups) {
        consider(group, group.seats.held_by_limit);
        consider(group, group.seats.beyond_limit);
    }
    if (!critical.waiter || best.waiter == critical.waiter) return best;
    if (line->second.critical_turn) {
        critical.turn_of = best.waiter;
        return critical;
    }
    best.passes_critical = true;
    return best;
}

template <class F>
void PriorityQueue::for_each(const F& f) {
    for (queue_detail::LevelList& level : levels_) {
        for (auto it = level.begin(); it != level.end();) f(*it++);
    }
}

}  // namespace ollama_proxy::router
