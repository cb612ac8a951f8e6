#pragma once

#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/upstream/catalog.hpp"
#include "ollama_proxy/upstream/circuit_breaker.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ollama_proxy::upstream {

enum class Health {
    unknown,    ///< not probed yet: requests may go there
    healthy,    ///< the last probes succeeded
    unhealthy,  ///< `unhealthy_threshold` probes failed; no requests until one succeeds
};
[[nodiscard]] std::string_view to_string(Health health);

/// How one request to a backend ended, for breaker, health and counters.
enum class Outcome {
    success,    ///< answered, also with a 4xx that is the client's fault
    failure,    ///< refused, timed out, 5xx, broken protocol, in-band error, cut stream
    cancelled,  ///< the client left: says nothing about the backend
    busy,       ///< 429: full, not broken
};

/// The live state of one configured backend, shared by all workers and the control thread.
/// It outlives a reload for as long as a request uses it. Thread: any, unless said otherwise.
class Backend {
  public:
    Backend(config::Backend settings, const config::CircuitBreaker& breaker);
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    /// It is the same server as `former`, under other settings: what was found out of it (health,
    /// models, parking, counts) holds on; so does the breaker with `breaker_too`. Before anybody
    /// else knows this one.
    void inherit(const Backend& former, bool breaker_too);
    /// A reload has taken it out of the configuration: requests that it has go on, it gets no new
    /// ones, and its connections are not kept.
    void retire() { retired_.store(true, std::memory_order_release); }
    [[nodiscard]] bool is_retired() const { return retired_.load(std::memory_order_acquire); }

    [[nodiscard]] const config::Backend& settings() const { return settings_; }
    [[nodiscard]] const std::string& id() const { return settings_.id; }
    /// Unique in this process: pools are keyed by it.
    [[nodiscard]] std::uint64_t serial() const { return serial_; }

    [[nodiscard]] Health health() const { return health_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::string health_reason() const;
    /// Control thread: true when the state changed.
    bool set_health(Health health, std::string reason);

    [[nodiscard]] std::shared_ptr<const Catalog> catalog() const { return catalog_.load(); }
    void set_catalog(std::shared_ptr<const Catalog> catalog) { catalog_.store(std::move(catalog)); }
    /// A 404 for this model: absent until the next catalog answer.
    void mark_absent(std::string_view model_key);
    [[nodiscard]] bool is_absent(std::string_view model_key) const;
    void clear_absent();

    /// Routes that this backend turned out not to have (404/405/501 on the path itself).
    [[nodiscard]] bool lacks(codec::Api api) const;
    void mark_lacking(codec::Api api);
    /// It was restarted, perhaps as another version: ask again.
    void clear_lacking() { lacking_.store(0, std::memory_order_relaxed); }

    [[nodiscard]] bool breaker_would_allow(TimePoint now) const;
    /// Takes part in the breaker for one request; every true is answered by one `record`.
    [[nodiscard]] bool breaker_acquire(TimePoint now);
    /// The outcome of an acquired request. Counts it; feeds the breaker.
    void record(Outcome outcome, TimePoint now);
    /// A request that was recorded as a success broke later, in the middle of its stream.
    void record_cut(TimePoint now);
    [[nodiscard]] BreakerState breaker_state(TimePoint now) const;
    /// While open: when the next request may try it.
    [[nodiscard]] TimePoint breaker_retry_at() const;
    [[nodiscard]] double error_share(TimePoint now) const;

    /// 429: leave it alone until then (at most 60 s ahead).
    void park_until(TimePoint until);
    [[nodiscard]] bool is_parked(TimePoint now) const;
    [[nodiscard]] TimePoint parked_until() const;

    /// Since when it takes requests again after it was down or parked (then this may be ahead): it
    /// should get few at first, as a breaker does by itself. TimePoint{} when it never was.
    [[nodiscard]] TimePoint back_since() const {
        return TimePoint(Clock::duration(back_since_.load(std::memory_order_relaxed)));
    }

    [[nodiscard]] std::uint64_t requests() const {
        return requests_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t failures() const {
        return failures_.load(std::memory_order_relaxed);
    }

    /// Where to connect, in order of preference; empty until resolved.
    using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;
    [[nodiscard]] std::shared_ptr<const Addresses> addresses() const { return addresses_.load(); }
    void set_addresses(std::shared_ptr<const Addresses> a) { addresses_.store(std::move(a)); }

  private:
    void is_back_at(TimePoint time) {
        back_since_.store(time.time_since_epoch().count(), std::memory_order_relaxed);
    }

    const config::Backend settings_;
    const std::uint64_t serial_;
    std::atomic<bool> retired_{false};
    std::atomic<Health> health_{Health::unknown};
    SnapshotCell<Catalog> catalog_{std::make_shared<const Catalog>()};
    SnapshotCell<Addresses> addresses_{std::make_shared<const Addresses>()};
    std::atomic<std::uint32_t> lacking_{0};  ///< one bit per codec::Api
    std::atomic<std::uint64_t> requests_{0};
    std::atomic<std::uint64_t> failures_{0};
    std::atomic<TimePoint::rep> parked_until_{0};
    std::atomic<TimePoint::rep> back_since_{0};
    mutable std::mutex mutex_;  ///< the rest; held for a few instructions
    CircuitBreaker breaker_;
    std::atomic<bool> calm_{true};  ///< what CircuitBreaker::calm last said; read without the lock
    std::string health_reason_;
    std::vector<std::string> absent_;
    std::atomic<bool> any_absent_{false};
};

/// The backends of one configuration, in its order; immutable, swapped whole by a reload.
struct BackendSet {
    std::vector<std::shared_ptr<Backend>> backends;

    [[nodiscard]] std::shared_ptr<Backend> find(std::string_view id) const;
};

}  // namespace ollama_proxy::upstream
