#include "router/admission_core.hpp"

#include <algorithm>
#include <iterator>

namespace ollama_proxy::router {

double Occupancy::weighted(unsigned slots) const {
    double sum = 0;
    for (std::size_t level = 0; level < kPriorities; ++level) {
        sum += static_cast<double>((level + 1) * (running[level] + waiting[level]));
    }
    return sum / 2 / std::max(1U, slots);
}

void AdmissionCore::configure(const config::Queue& settings) {
    overcommit_.store(settings.critical_overcommit, std::memory_order_relaxed);
    reserved_.store(settings.reserved_slots, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    queue_.configure({settings.max_size, settings.aging});
    preempts_ = settings.preempt_best_effort;
}

SlotRules AdmissionCore::rules() const {
    return {overcommit_.load(std::memory_order_relaxed), reserved_.load(std::memory_order_relaxed)};
}

std::optional<HeldSlot> AdmissionCore::take(const Place& place, Priority level) {
    if (!is_within_limit(place)) return std::nullopt;
    const SlotRules allowed = rules();
    const HeldSlot held =
        slots_.with(place.backend, [&](BackendSlots& slots, std::string_view backend) {
            HeldSlot slot{backend, {}, level, SlotKind::none};
            slot.kind = slots.may_take(place.model, place.capacity, level, false, allowed);
            if (slot.kind != SlotKind::none) slot.model = slots.take(place.model, level, slot.kind);
            return slot;
        });
    if (held.kind == SlotKind::none) return std::nullopt;
    in_flight_.fetch_add(1);
    return held;
}

bool AdmissionCore::grant_one(std::string_view backend, TimePoint now, Bells& bells) {
    const SlotRules allowed = rules();
    HeldSlot held;
    const auto choose = [&](BackendSlots& slots, std::string_view kept_backend) {
        const auto may_take = [&](const Place& place, Priority level, bool aged) {
            if (!is_within_limit(place)) return SlotKind::none;
            return slots.may_take(place.model, place.capacity, level, aged, allowed);
        };
        const auto may = [&](const Place& place, Priority level, bool aged) {
            return may_take(place, level, aged) != SlotKind::none;
        };
        const PriorityQueue::Choice choice = queue_.next(backend, now, may);
        if (!choice.waiter) return choice;
        const Waiter& waiter = *choice.waiter;
        const SlotKind kind = may_take(choice.place, waiter.level, queue_.is_lifted(waiter, now));
        held = {kept_backend, slots.take(choice.place.model, waiter.level, kind), waiter.level,
                kind};
        return choice;
    };
    const PriorityQueue::Choice next = slots_.with(backend, choose);
    if (!next.waiter) return false;
    Waiter& waiter = *next.waiter;
    in_flight_.fetch_add(1);
    waiter.granted = held;
    waiter.place = next.index;
    queue_.grant(next);
    --waiting_;
    waiter.state = WaitState::granted;
    drain_.note(now);
    if (waiter.bell) bells.push_back(waiter.bell);
    return true;
}

/// Gives what is free at a backend to those who wait for it, in their order.
void AdmissionCore::settle(std::string_view backend, TimePoint now, Bells& bells) {
    if (is_limited()) {
        settle_all(now, bells);
        return;
    }
    while (grant_one(backend, now, bells)) {
    }
}

/// Under a limit what one backend gives back may be had at every other: the first in order of all.
void AdmissionCore::settle_all(TimePoint now, Bells& bells) {
    const SlotRules allowed = rules();
    for (;;) {
        PriorityQueue::Choice best;
        std::string where;
        queue_.for_each_backend([&](std::string_view backend) {
            const auto choice = slots_.with(backend, [&](const BackendSlots& slots) {
                return queue_.next(
                    backend, now, [&](const Place& place, Priority level, bool aged) {
                        return is_within_limit(place) &&
                               slots.may_take(place.model, place.capacity, level, aged, allowed) !=
                                   SlotKind::none;
                    });
            });
            if (!choice.waiter || (best.waiter && !queue_.is_before(choice, best, now))) return;
            best = choice;
            where = backend;
        });
        if (!best.waiter || !grant_one(where, now, bells)) return;
    }
}

bool AdmissionCore::is_free(const Place& place, Priority level) {
    const SlotRules allowed = rules();
    return slots_.with(place.backend, [&](const BackendSlots& slots) {
        return slots.may_take(place.model, place.capacity, level, false, allowed) != SlotKind::none;
    });
}

bool AdmissionCore::runs(std::string_view backend, std::string_view model) {
    return slots_.with(backend, [&](const BackendSlots& slots) { return slots.plain(model) > 0; });
}

std::optional<HeldSlot> AdmissionCore::try_take(const Place& place, Priority level, TimePoint now,
                                                Bells& bells) {
    if (closed()) return std::nullopt;
    if (waiting_.load() == 0 && !is_limited()) return take(place, level);
    std::lock_guard lock(mutex_);
    queue_.note_capacity(place);
    settle(place.backend, now, bells);  // what is free and who waits may use is theirs
    return take(place, level);
}

void AdmissionCore::release(const HeldSlot& slot, std::optional<Clock::duration> held,
                            TimePoint now, Bells& bells) {
    slots_.with(slot.backend, [&](BackendSlots& slots) { slots.release(slot, held); });
    in_flight_.fetch_sub(1);  // in order with `waiting_`, as the slots are
    if (waiting_.load() == 0) return;
    std::lock_guard lock(mutex_);
    settle(slot.backend, now, bells);
}

WaitState AdmissionCore::enter(Waiter& waiter, std::span<const Place> places, bool returning,
                               TimePoint now, Bells& bells) {
    std::lock_guard lock(mutex_);
    if (closed()) return waiter.state = WaitState::closed;
    ++waiting_;
    const PriorityQueue::Entry entry = queue_.push(waiter, places, returning);
    if (entry.evicted && entry.evicted->bell) bells.push_back(entry.evicted->bell);
    if (entry.evicted || !entry.entered) --waiting_;
    for (const Place& place : places) {
        if (waiter.state == WaitState::waiting) settle(place.backend, now, bells);
    }
    if (preempts_ && waiter.state == WaitState::waiting && waiter.level == Priority::critical) {
        preempt_for(waiter, places, now, bells);
    }
    return waiter.state;
}

bool AdmissionCore::replace(Waiter& waiter, std::span<const Place> places, TimePoint now,
                            Bells& bells) {
    std::lock_guard lock(mutex_);
    if (waiter.state != WaitState::waiting) return false;
    queue_.replace(waiter, places);
    for (const Place& place : places) {
        if (waiter.state == WaitState::waiting) settle(place.backend, now, bells);
    }
    return true;
}

AdmissionCore::Standing AdmissionCore::claim(Waiter& waiter) {
    std::lock_guard lock(mutex_);
    Standing standing{waiter.state, waiter.place, {}, waiter.asked_again};
    waiter.asked_again = false;
    if (waiter.state == WaitState::granted) {
        standing.slot = waiter.granted;
        waiter.state = WaitState::outside;
    }
    return standing;
}

void AdmissionCore::leave(Waiter& waiter, TimePoint now, Bells& bells) {
    HeldSlot abandoned;
    {
        std::lock_guard lock(mutex_);
        if (waiter.state == WaitState::waiting) {
            queue_.remove(waiter);
            --waiting_;
        } else if (waiter.state == WaitState::granted) {
            abandoned = waiter.granted;
        }
        waiter.state = WaitState::outside;
    }
    // it was never used: how long it was held says nothing
    if (abandoned.kind != SlotKind::none) release(abandoned, std::nullopt, now, bells);
}

void AdmissionCore::ask_again(std::string_view backend, Bells& bells) {
    if (waiting_.load() == 0) return;
    std::lock_guard lock(mutex_);
    queue_.for_each([&](Waiter& waiter) {
        const bool concerned = backend.empty() || PriorityQueue::waits_for(waiter, backend);
        if (!concerned || waiter.asked_again) return;
        waiter.asked_again = true;
        if (waiter.bell) bells.push_back(waiter.bell);
    });
}

void AdmissionCore::offer(Preemptible& running) {
    std::lock_guard lock(mutex_);
    if (preempts_) preemptible_.push_back(running);
}

bool AdmissionCore::withdraw(Preemptible& running) {
    std::lock_guard lock(mutex_);
    if (running.hook.is_linked()) preemptible_.erase(preemptible_.iterator_to(running));
    return !running.taken_back;
}

/// Takes the slot of the youngest best-effort request whose slot would do back. One that has
/// aged up to critical is left alone: it must not be put back for ever.
void AdmissionCore::preempt_for(const Waiter& waiter, std::span<const Place> places, TimePoint now,
                                Bells& bells) {
    const auto would_do = [&](const Preemptible& victim) {
        if (queue_.lifted(Priority::best_effort, victim.since, now) >=
            static_cast<std::size_t>(waiter.level)) {
            return false;
        }
        return std::ranges::any_of(places, [&](const Place& place) {
            if (place.backend != victim.backend) return false;
            if (place.model == victim.model) return true;
            // another model's slot helps only where the backend as a whole is full
            return slots_.with(place.backend, [&](BackendSlots& slots) {
                return slots.plain(place.model) < place.capacity.per_model;
            });
        });
    };
    const auto found = std::find_if(preemptible_.rbegin(), preemptible_.rend(), would_do);
    if (found == preemptible_.rend()) return;
    Preemptible& victim = *found;
    preemptible_.erase(preemptible_.iterator_to(victim));
    victim.taken_back = true;
    if (victim.bell) bells.push_back(victim.bell);
}

void AdmissionCore::close(Bells& bells) {
    std::lock_guard lock(mutex_);
    closed_.store(true);
    queue_.for_each([&](Waiter& waiter) {
        queue_.remove(waiter);
        --waiting_;
        waiter.state = WaitState::closed;
        if (waiter.bell) bells.push_back(waiter.bell);
    });
}

Occupancy AdmissionCore::occupancy(std::string_view backend) {
    Occupancy out = slots_.with(backend, [](const BackendSlots& slots) {
        return Occupancy{slots.in_flight(), slots.running(), {}, slots.usual_hold()};
    });
    if (waiting_.load() == 0) return out;
    std::lock_guard lock(mutex_);
    out.waiting = queue_.waiting_for(backend);
    return out;
}

std::array<std::size_t, kPriorities> AdmissionCore::waiting_by_level() const {
    std::lock_guard lock(mutex_);
    return queue_.by_level();
}

int AdmissionCore::retry_after_s(TimePoint now) const {
    std::lock_guard lock(mutex_);
    return drain_.retry_after_s(queue_.size(), now);
}

}  // namespace ollama_proxy::router
