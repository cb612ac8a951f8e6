#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/config/config.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace ollama_proxy::upstream {

enum class BreakerState : std::uint8_t {
    closed,     ///< requests flow; outcomes are watched
    open,       ///< nothing goes there until `retry_at`
    half_open,  ///< one request probes; each success lets more in, the third closes
};
[[nodiscard]] std::string_view to_string(BreakerState state);  ///< "closed", "open", "half-open"

/// Keeps requests away from a backend that fails, and lets it come back slowly. Pure: takes `now`,
/// holds no lock (its owner does) and allocates nothing.
///
/// Every `try_acquire` that gave true is answered by exactly one `on_*`, as soon as the verdict is
/// known: for a stream that is the first piece, not the end. What requests report that started
/// before the breaker opened counts in the window, but neither opens nor closes it.
class CircuitBreaker {
  public:
    explicit CircuitBreaker(const config::CircuitBreaker& settings = {});

    /// A request wants to go there. False = refused. In half-open, true takes a probe.
    [[nodiscard]] bool try_acquire(TimePoint now);
    /// What `try_acquire` would say, changing nothing.
    [[nodiscard]] bool would_allow(TimePoint now) const;

    /// The backend answered well.
    void on_success(TimePoint now);
    /// Connect error, 5xx, broken protocol, timeout or in-band error.
    void on_failure(TimePoint now);
    /// No verdict (the client left, 429): gives a probe back.
    void on_cancelled(TimePoint now);

    /// The verdicts of the probes that are out will not come here: half-open, the next may go.
    void forget_probes() { probes_ = 0; }

    /// Closed, and no failure in its window: it allows everything, and the error share is 0. It
    /// stays so until the next `on_failure`.
    [[nodiscard]] bool calm(TimePoint now) const;
    [[nodiscard]] BreakerState state(TimePoint now) const;
    /// While open: when the next probe may go. Otherwise a time in the past.
    [[nodiscard]] TimePoint retry_at() const { return retry_at_; }
    /// Failures / requests in the window, 0..1, with 5 imagined successes beside them, so that one
    /// failure of one request does not read as 100 %.
    [[nodiscard]] double error_share(TimePoint now) const;

  private:
    static constexpr std::size_t kBuckets = 10;
    static constexpr unsigned kSuccessesToClose = 3;

    /// One tenth of the window. `slot` tells which one, so that an old bucket is known as such.
    struct Bucket {
        std::int64_t slot = -1;
        std::uint32_t successes = 0;
        std::uint32_t failures = 0;
    };
    struct Counts {
        std::uint64_t requests = 0;
        std::uint64_t failures = 0;
    };

    [[nodiscard]] std::int64_t slot_of(TimePoint now) const;
    [[nodiscard]] Bucket& bucket_at(TimePoint now);
    [[nodiscard]] Counts counts(TimePoint now) const;
    [[nodiscard]] bool probe_lost(TimePoint now) const;
    [[nodiscard]] bool too_many_failures(TimePoint now) const;
    void open(TimePoint now);
    void close(TimePoint now);

    config::CircuitBreaker settings_;
    Clock::duration bucket_length_;
    std::array<Bucket, kBuckets> buckets_{};
    BreakerState state_ = BreakerState::closed;  ///< `open` also when a probe is already due
    unsigned consecutive_ = 0;                   ///< failures in a row while closed
    Clock::duration open_for_;                   ///< how long the next opening lasts
    TimePoint retry_at_{};
    TimePoint growth_until_{};  ///< opening again before this goes on doubling
    unsigned probes_ = 0;       ///< half-open: without a verdict yet
    unsigned probe_limit_ = 1;
    unsigned probe_successes_ = 0;
    TimePoint last_probe_{};
};

}  // namespace ollama_proxy::upstream
