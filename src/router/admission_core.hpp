#pragma once

#include "ollama_proxy/config/config.hpp"
#include "router/drain_rate.hpp"
#include "router/priority_queue.hpp"
#include "router/slot_table.hpp"

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ollama_proxy::router {

/// How busy one backend is.
struct Occupancy {
    std::size_t in_flight = 0;
    std::array<std::size_t, kPriorities> running{};
    std::array<std::size_t, kPriorities> waiting{};  ///< waiters that may use it
    std::optional<Clock::duration> usual_hold;       ///< how long a slot there is taken, lately

    /// Running and waiting, weighted by level, over the slots (routing contract, section 3).
    [[nodiscard]] double weighted(unsigned slots) const;
};

/// A best-effort request that runs and has no first byte yet: a critical one may take its slot.
/// Known to the core by its address, like a waiter.
struct Preemptible {
    std::string backend;
    std::string model;
    TimePoint since;             ///< the request's arrival
    std::shared_ptr<void> bell;  ///< what interrupts it
    bool taken_back = false;     ///< it has to give its slot up and wait again
    queue_detail::Hook hook;
};

/// Slots and queue together: who runs, who waits, who is next. All state of the admission and
/// none of its coroutines: time is an argument, and whoever must be woken is handed out as a bell
/// to be rung by the caller once no lock is held. A request that finds a free slot while nobody
/// waits takes the lock of that backend's counters only; the queue's lock is taken when somebody
/// waits. Thread: any.
class AdmissionCore {
  public:
    using Bells = std::vector<std::shared_ptr<void>>;

    explicit AdmissionCore(const config::Queue& settings = {}) { configure(settings); }
    AdmissionCore(const AdmissionCore&) = delete;
    AdmissionCore& operator=(const AdmissionCore&) = delete;

    /// Takes effect at once, for those who wait too. A smaller queue sends nobody away.
    void configure(const config::Queue& settings);
    /// From now on at most so many run at once, over all backends (nothing: no limit); what is
    /// more waits. Those who wait already are to be asked again.
    void limit(std::optional<std::size_t> at_once) { limit_.store(at_once.value_or(kNoLimit)); }
    [[nodiscard]] bool is_at_limit() const { return in_flight_.load() >= limit_.load(); }
    /// Whether a slot is free for this level, waiters aside.
    [[nodiscard]] bool is_free(const Place& place, Priority level);
    /// Whether something runs on a plain slot of this model there.
    [[nodiscard]] bool runs(std::string_view backend, std::string_view model);

    /// A request's number, in the order of arrival.
    [[nodiscard]] std::uint64_t next_ticket() { return ++tickets_; }

    /// Takes a free slot of this place, unless a waiter may use it.
    [[nodiscard]] std::optional<HeldSlot> try_take(const Place& place, Priority level,
                                                   TimePoint now, Bells& bells);
    /// Gives a slot back after `held`; the first waiter that may use it has it from then on.
    void release(const HeldSlot& slot, std::optional<Clock::duration> held, TimePoint now,
                 Bells& bells);

    /// Puts the waiter in the queue and looks once more for a free slot. The result is granted,
    /// waiting, closed, or outside: the queue is full. `returning` as in PriorityQueue.
    WaitState enter(Waiter& waiter, std::span<const Place> places, bool returning, TimePoint now,
                    Bells& bells);
    /// Where one that waits may go has changed. It keeps its position. False: it waits no more,
    /// and what it was granted is one of the former places.
    bool replace(Waiter& waiter, std::span<const Place> places, TimePoint now, Bells& bells);
    struct Standing {
        WaitState state = WaitState::outside;
        std::size_t place = 0;
        HeldSlot slot;  ///< when granted
        bool asked_again = false;
    };
    /// How the wait stands. A slot that was granted is the caller's from then on, and the question
    /// whether to say anew where it may go is asked once.
    [[nodiscard]] Standing claim(Waiter& waiter);
    /// Ends a wait, however it stands: a slot that was granted and not claimed goes to the next.
    void leave(Waiter& waiter, TimePoint now, Bells& bells);
    /// Asks those who may use `backend` (empty: everybody) to say anew where they may go.
    void ask_again(std::string_view backend, Bells& bells);

    /// From now on a critical request may take its slot back.
    void offer(Preemptible& running);
    /// Its first byte is there, or it has ended. False: its slot was taken back before.
    [[nodiscard]] bool withdraw(Preemptible& running);

    /// Everybody who waits gets `closed`, and so does who comes from now on.
    void close(Bells& bells);
    [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_relaxed); }

    [[nodiscard]] Occupancy occupancy(std::string_view backend);
    [[nodiscard]] std::size_t waiting() const { return waiting_.load(); }
    [[nodiscard]] std::array<std::size_t, kPriorities> waiting_by_level() const;
    [[nodiscard]] std::size_t in_flight() const {
        return in_flight_.load(std::memory_order_relaxed);
    }
    /// What `Retry-After` should say to who finds the queue full, from the drain rate just seen.
    [[nodiscard]] int retry_after_s(TimePoint now) const;

  private:
    [[nodiscard]] std::optional<HeldSlot> take(const Place& place, Priority level);
    /// Gives the first who waits for a backend what is free there. False: nobody may have it.
    bool grant_one(std::string_view backend, TimePoint now, Bells& bells);
    void settle(std::string_view backend, TimePoint now, Bells& bells);
    void settle_all(TimePoint now, Bells& bells);
    [[nodiscard]] bool is_limited() const { return limit_.load() != kNoLimit; }
    [[nodiscard]] bool is_within_limit(const Place& place) const {
        return place.beyond_limit || !is_at_limit();
    }
    void preempt_for(const Waiter& waiter, std::span<const Place> places, TimePoint now,
                     Bells& bells);
    [[nodiscard]] SlotRules rules() const;

    static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

    SlotTable slots_;
    std::atomic<std::size_t> in_flight_{0};
    std::atomic<std::size_t> limit_{
        kNoLimit};  ///< where there is one, slots are taken under mutex_
    std::atomic<std::uint64_t> tickets_{0};
    std::atomic<bool> closed_{false};
    std::atomic<unsigned> overcommit_{1};
    std::atomic<unsigned> reserved_{0};

    /// Sequentially consistent with the slots: who enters counts itself before it looks at the
    /// slots, who releases frees the slot before it looks here. One of them sees the other.
    std::atomic<std::size_t> waiting_{0};
    mutable std::mutex mutex_;  ///< the rest; taken before a lock of the slots, never after
    PriorityQueue queue_;
    DrainRate drain_;
    bool preempts_ = false;
    queue_detail::intrusive::list<
        Preemptible,
        queue_detail::intrusive::member_hook<Preemptible, queue_detail::Hook, &Preemptible::hook>>
        preemptible_;  ///< oldest first
};

}  // namespace ollama_proxy::router
