#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/upstream/backend.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>

namespace ollama_proxy::upstream {

/// Probes every enabled backend on the control thread and keeps health, addresses and catalogs
/// fresh. `/api/version` (ollama) or `/v1/models` (openai); every `interval` while a request came
/// in the last 60 s, else every `idle_interval` (cloud: every 60 s); back-off 1 s -> 30 s for one
/// that is down. Catalogs: `/api/tags` + `/api/ps`, or `/v1/models`. A disabled backend is left
/// alone. The control context must live longer than everybody who calls.
class HealthChecker {
  public:
    /// Called on the control thread after a change of state.
    using OnChange = std::function<void(const Backend&, Health before)>;

    HealthChecker(boost::asio::io_context& control, const config::Health& settings,
                  OnChange on_change);
    /// As `stop()`, where that was not called. Thread: control, or after its thread ended.
    ~HealthChecker();

    /// Starts probing this set (again after a reload; backends no longer in it are dropped).
    /// Thread: control.
    void watch(std::shared_ptr<const BackendSet> set, const config::Health& settings);
    /// Stops every probe: no `OnChange` after it, waiting callers go on, and its coroutines end
    /// as soon as the control context runs. Thread: control.
    void stop();

    /// A request came in: probe at the busy interval. Any thread, a few instructions.
    void note_request();

    /// Probes every backend at once (after the machine slept). Any thread.
    void probe_soon();

    /// Catalogs of all enabled backends not older than `max_age`, fetched at once where needed;
    /// gives up on a slow one after the probe timeout. Any executor; cancelling stops waiting only.
    [[nodiscard]] boost::asio::awaitable<void> refresh_catalogs(Clock::duration max_age);

    /// Fetches one backend's catalog soon (after a 404 for a model, pull, delete). Any thread.
    void refresh_soon(std::shared_ptr<Backend> backend);

    /// Probes backends that are unhealthy or unknown at once and waits at most `limit` for them.
    /// True when one of them is healthy now. Any executor.
    [[nodiscard]] boost::asio::awaitable<bool> probe_refused(Clock::duration limit);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::upstream
