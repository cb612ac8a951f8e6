#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/upstream/backend.hpp"

namespace ollama_proxy::upstream {

/// A request counts as recent for this long: until then probes come at the busy interval.
inline constexpr std::chrono::seconds kBusyFor{60};
/// `last_request` while none came yet.
inline constexpr TimePoint kNoRequestYet{};

[[nodiscard]] bool is_busy(TimePoint now, TimePoint last_request);

enum class ProbeResult {
    ok,
    refused,  ///< nobody listens: known at once
    failed,   ///< timed out, or answered wrongly
};

/// When to probe one backend, and what its probes say about its health. Pure.
///
/// unknown or healthy -> unhealthy after `unhealthy_threshold` failures in a row; unknown ->
/// healthy by one success; unhealthy -> healthy after `healthy_threshold` successes. While down,
/// the pause doubles from 1 s to 30 s, and goes on from where it was when the backend falls again
/// within a minute of its recovery (flapping).
class ProbeSchedule {
  public:
    ProbeSchedule() = default;
    /// Goes on from what was known already; the first probe is due at once all the same.
    explicit ProbeSchedule(Health known);

    [[nodiscard]] Health health() const { return health_; }
    [[nodiscard]] ProbeResult last_result() const { return last_result_; }
    /// When the last probe ended; the clock's epoch when there was none.
    [[nodiscard]] TimePoint last_probe() const { return last_probe_; }

    /// One probe ended; returns the health from now on.
    Health on_result(ProbeResult result, TimePoint now, const config::Health& settings);

    /// When the next probe is due; at once when there was none.
    [[nodiscard]] TimePoint next_due(TimePoint now, TimePoint last_request,
                                     const config::Health& settings,
                                     config::Hardware hardware) const;
    /// The same when a request waits for it: at once, but not in a tight loop.
    [[nodiscard]] TimePoint next_due_urgent() const;

  private:
    Health health_ = Health::unknown;
    ProbeResult last_result_ = ProbeResult::ok;
    bool probed_ = false;
    TimePoint last_probe_{};
    unsigned failures_ = 0;   ///< in a row
    unsigned successes_ = 0;  ///< in a row
    Clock::duration back_off_{};
    bool recovered_before_ = false;
    TimePoint recovered_at_{};
};

/// When to fetch the catalog on the timer: every 6 probes while busy, every 5 idle ones else.
/// `attempted` is the start of the last attempt; after a failed one the next comes with the next
/// probe.
[[nodiscard]] TimePoint next_catalog_due(TimePoint attempted, bool succeeded, bool busy,
                                         const config::Health& settings);

}  // namespace ollama_proxy::upstream
