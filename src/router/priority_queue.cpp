#include "router/priority_queue.hpp"

#include <algorithm>

namespace ollama_proxy::router {

using queue_detail::Group;
using queue_detail::Line;
using queue_detail::Seat;

namespace {

std::size_t level_of(const Waiter& waiter) { return static_cast<std::size_t>(waiter.level); }

constexpr std::size_t kKeptShare = 16;  ///< one part in so many of the queue is kept for a level

std::uint64_t ticket_of(const Waiter& waiter) { return waiter.ticket; }
std::uint64_t ticket_of_seat(const Seat& seat) { return seat.waiter->ticket; }

template <class T>
T& at_key(TextMap<T>& map, std::string_view key) {
    const auto found = map.find(key);
    return found != map.end() ? found->second : map.try_emplace(std::string(key)).first->second;
}

}  // namespace

void PriorityQueue::sit_down(Waiter& waiter, std::span<const Place> places) {
    waiter.seats.clear();
    waiter.seats.resize(places.size());  // never again while they are linked
    const std::size_t level = level_of(waiter);
    for (std::size_t i = 0; i < places.size(); ++i) {
        Line& line = at_key(lines_, places[i].backend);
        if (line.backend.empty()) line.backend = lines_.find(places[i].backend)->first;
        Group& group = at_key(line.groups, places[i].model);
        if (group.size++ == 0) {
            group.line = &line;
            group.model = line.groups.find(places[i].model)->first;
        }
        group.capacity = places[i].capacity;
        ++line.waiting[level];
        Seat& seat = waiter.seats[i];
        seat.waiter = &waiter;
        seat.group = &group;
        seat.place = i;
        seat.beyond_limit = places[i].beyond_limit;
        insert_by_ticket(group.list_of(seat, level), seat, ticket_of_seat);
    }
}

void PriorityQueue::stand_up(Waiter& waiter) {
    const std::size_t level = level_of(waiter);
    for (Seat& seat : waiter.seats) {
        Group& group = *seat.group;
        Line& line = *group.line;
        auto& list = group.list_of(seat, level);
        list.erase(list.iterator_to(seat));
        --line.waiting[level];
        if (--group.size > 0) continue;
        line.groups.erase(line.groups.find(group.model));
        if (line.groups.empty()) lines_.erase(lines_.find(line.backend));
    }
    waiter.seats.clear();
}

void PriorityQueue::enter(Waiter& waiter, std::span<const Place> places) {
    sit_down(waiter, places);
    insert_by_ticket(levels_[level_of(waiter)], waiter, ticket_of);
    shares_.add(waiter);
    ++sizes_[level_of(waiter)];
    ++size_;
    waiter.state = WaitState::waiting;
}

void PriorityQueue::remove(Waiter& waiter) {
    stand_up(waiter);
    auto& level = levels_[level_of(waiter)];
    level.erase(level.iterator_to(waiter));
    shares_.remove(waiter);
    --sizes_[level_of(waiter)];
    --size_;
    waiter.state = WaitState::outside;
}

bool PriorityQueue::is_before(const Choice& a, const Choice& b, TimePoint now) const {
    // whom a critical one displaces at its backend has its turn there all the same
    const Waiter& one = a.turn_of ? *a.turn_of : *a.waiter;
    const Waiter& other = b.turn_of ? *b.turn_of : *b.waiter;
    if (&one == &other) return a.index < b.index;
    const std::size_t left = level_at(one, now);
    const std::size_t right = level_at(other, now);
    return left != right ? left > right : one.ticket < other.ticket;
}

void PriorityQueue::note_capacity(const Place& place) {
    const auto line = lines_.find(place.backend);
    if (line == lines_.end()) return;
    const auto group = line->second.groups.find(place.model);
    if (group != line->second.groups.end()) group->second.capacity = place.capacity;
}

void PriorityQueue::grant(const Choice& choice) {
    choice.waiter->seats[choice.index].group->line->critical_turn = choice.passes_critical;
    remove(*choice.waiter);
}

void PriorityQueue::replace(Waiter& waiter, std::span<const Place> places) {
    stand_up(waiter);
    sit_down(waiter, places);
}

/// Who goes for the arrival when the queue is full; nobody when the arrival itself has to.
Waiter* PriorityQueue::loser_for(const Waiter& arrival, bool returning) {
    // the last few of a level stay when a higher one comes: they are those who have waited longest,
    // and without them ageing would have nobody to lift while the queue is full of what matters
    // more
    std::array<bool, kPriorities> spared{};
    for (std::size_t level = 0; level < level_of(arrival); ++level) {
        spared[level] = sizes_[level] <= settings_.max_size / kKeptShare;
    }
    // a client that has clearly more than the arrival's own will have gives one up: never for a
    // lower level, and never so that the two change roles and push each other out in turn
    Waiter* greedy = shares_.first_loser(spared);
    const bool own = greedy && greedy->client == arrival.client;
    if (greedy && !own && greedy->level <= arrival.level &&
        shares_.biggest() >= shares_.of(arrival.client) + 2) {
        return greedy;
    }
    if (own && greedy->level < arrival.level) return greedy;
    for (std::size_t level = 0; level < kPriorities; ++level) {
        if (levels_[level].empty() || spared[level]) continue;
        Waiter& youngest = levels_[level].back();
        if (youngest.level < arrival.level) return &youngest;
        if (returning && youngest.level == arrival.level && youngest.ticket > arrival.ticket) {
            return &youngest;
        }
        return nullptr;
    }
    return nullptr;
}

PriorityQueue::Entry PriorityQueue::push(Waiter& waiter, std::span<const Place> places,
                                         bool returning) {
    Entry entry;
    if (size_ >= settings_.max_size) {
        entry.evicted = loser_for(waiter, returning);
        if (!entry.evicted) return entry;
        remove(*entry.evicted);
        entry.evicted->state = WaitState::evicted;
    }
    enter(waiter, places);
    entry.entered = true;
    return entry;
}

std::size_t PriorityQueue::lifted(Priority level, TimePoint since, TimePoint now) const {
    const auto waited = std::max(now - since, Clock::duration::zero());
    const auto lifts = static_cast<std::size_t>(
        waited / std::max<Clock::duration>(settings_.aging, Milliseconds(1)));
    return std::min(static_cast<std::size_t>(level) + std::min(lifts, kPriorities),
                    kPriorities - 1);
}

bool PriorityQueue::waits_for(const Waiter& waiter, std::string_view backend) {
    return std::ranges::any_of(
        waiter.seats, [&](const Seat& seat) { return seat.group->line->backend == backend; });
}

std::array<std::size_t, kPriorities> PriorityQueue::waiting_for(std::string_view backend) const {
    const auto line = lines_.find(backend);
    return line == lines_.end() ? std::array<std::size_t, kPriorities>{} : line->second.waiting;
}

}  // namespace ollama_proxy::router
