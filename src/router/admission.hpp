#pragma once

#include "ollama_proxy/common/error.hpp"
#include "router/admission_core.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ollama_proxy::router {

class Admission;

/// The right to have one request in flight at one backend; gives it back when it dies, which may
/// hand it to a waiter. Thread: any.
class Permit {
  public:
    Permit() = default;
    Permit(Permit&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          slot_(other.slot_),
          since_(other.since_) {}
    Permit& operator=(Permit&& other) noexcept;
    ~Permit() { release(); }
    void release() {
        if (holds()) release(Clock::now());
    }
    void release(TimePoint now);
    [[nodiscard]] bool holds() const { return admission_ != nullptr; }
    [[nodiscard]] const HeldSlot& slot() const { return slot_; }

  private:
    friend class Admission;
    friend class Stay;
    Permit(Admission& admission, const HeldSlot& slot, TimePoint now)
        : admission_(&admission), slot_(slot), since_(now) {}

    Admission* admission_ = nullptr;
    HeldSlot slot_;
    TimePoint since_;
};

struct Admitted {
    Permit permit;
    std::size_t place = 0;  ///< index of the place that was got
};

/// Who asks for a slot.
struct Applicant {
    Priority level = Priority::normal;
    std::string client;  ///< bounds its share of the queue
    TimePoint since;     ///< arrival of the request
    std::uint64_t ticket = 0;
};

/// Slots per backend and model, and the one queue for what finds none free: the shell around
/// AdmissionCore that knows the clock and wakes coroutines on their own workers.
class Admission {
  public:
    explicit Admission(const config::Queue& settings = {}) : core_(settings) {}
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

    /// Takes effect at once; those who wait are asked again.
    void configure(const config::Queue& settings);
    /// Whether `try_acquire` would give a slot now, waiters aside.
    [[nodiscard]] bool is_free(const Place& place, Priority level) const {
        return core_.is_free(place, level);
    }

    /// How many requests may run at once, over all backends; nothing: no limit.
    void limit(std::optional<int> at_once);
    [[nodiscard]] bool is_at_limit() const { return core_.is_at_limit(); }
    [[nodiscard]] bool runs(std::string_view backend, std::string_view model) const {
        return core_.runs(backend, model);
    }
    [[nodiscard]] std::uint64_t next_ticket() { return core_.next_ticket(); }

    /// Takes a free slot at a place, without waiting, unless a waiter may use it.
    [[nodiscard]] std::optional<Permit> try_acquire(const Place& place, Priority level,
                                                    TimePoint now = Clock::now());

    /// Asks those who may use `backend` (empty: everybody) to rank anew, because it has failed,
    /// has come back, or because mode or configuration have changed.
    void reconsider(std::string_view backend = {});

    /// Waiters and newcomers get `shutting_down`.
    void close();

    /// Occupancy of several backends, in their order.
    template <class Backends>
    void occupancy(const Backends& backends, std::vector<Occupancy>& out) const {
        out.clear();
        for (const auto& backend : backends) out.push_back(core_.occupancy(backend->id()));
    }
    [[nodiscard]] std::size_t waiting() const { return core_.waiting(); }
    [[nodiscard]] std::array<std::size_t, kPriorities> waiting_by_level() const {
        return core_.waiting_by_level();
    }
    [[nodiscard]] std::size_t in_flight() const { return core_.in_flight(); }

  private:
    friend class Permit;
    friend class Stay;
    friend class PreemptionGuard;
    void ring(AdmissionCore::Bells& bells);

    mutable AdmissionCore core_;
};

/// One request's stay in the queue. It leaves the queue when it dies; a slot that was granted and
/// not fetched then goes to the next. Thread: one worker.
class Stay {
  public:
    Stay(Admission& admission, const boost::asio::any_io_executor& executor,
         const Applicant& applicant);
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay();

    /// Enters the queue for any of `places`. `returning`: it had a slot or a place in the queue
    /// before. Errors: queue_full with Retry-After, shutting_down.
    [[nodiscard]] Result<void> enter(std::span<const Place> places, bool returning);
    /// Where it may go has changed. False: it has been granted one of the former places.
    [[nodiscard]] bool replace(std::span<const Place> places);

    /// Waits for a slot until `limit`. Nothing: `look_again` has come or the facts have changed, so
    /// the places should be ranked anew. Errors: queue_full (it had to go for somebody else),
    /// queue_timeout, shutting_down, cancelled. Cancelling (total) ends it at once.
    [[nodiscard]] boost::asio::awaitable<Result<std::optional<Admitted>>> wait(
        TimePoint limit, TimePoint look_again);

  private:
    [[nodiscard]] Error busy(std::string message) const;

    Admission& admission_;
    Waiter waiter_;
};

}  // namespace ollama_proxy::router
