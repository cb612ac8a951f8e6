#pragma once

#include "ollama_proxy/config/backend.hpp"
#include "ollama_proxy/router/decision.hpp"
#include "ollama_proxy/router/request.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"

#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// The metrics of one backend, looked up when a configuration comes into force, so that a request
/// neither locks nor allocates for them. Any thread.
class BackendMetrics {
  public:
    explicit BackendMetrics(std::string id);

    /// Seconds from the request's coming to the first piece of a streamed answer.
    telemetry::Histogram& first_token;
    /// Seconds between the pieces of a stream, as they were passed on.
    telemetry::Histogram& piece_delay;

    void count_decision(Reason reason, config::Mode effective);
    /// One failed attempt; `reason` is one of a few words.
    void count_failure(std::string_view reason);
    /// A critical request was asked of a second backend too, because this one was late.
    void count_hedge(bool second_won);

  private:
    static constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::mode_name) + 1;
    static constexpr std::size_t kModes =
        static_cast<std::size_t>(config::Mode::ultra_efficiency) + 1;

    std::string id_;
    telemetry::LazyMetrics<telemetry::Counter, kReasons + kModes> decisions_;
};

/// How long a request of this level waited for its slot, in seconds; 0 when it did not.
void observe_queue_wait(Priority priority, double seconds);

/// A request that ended with an error of the proxy's own: a refusal when no backend is to blame.
void count_error(Errc code);

}  // namespace ollama_proxy::router
