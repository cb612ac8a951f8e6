#pragma once

#include "router/ewma.hpp"
#include "router/recent_times.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// What one request showed of a backend with a model; what it did not show is not set.
struct Observation {
    std::optional<double> warm_ms;  ///< time to first token of a model in memory
    std::optional<double> cold_ms;  ///< the same of one that had to be loaded, loading included
    std::optional<double> load_ms;  ///< of that the loading
    std::optional<double> tokens_per_second;
    std::optional<double> joules_per_token;
    std::optional<bool> failed;
};

/// All that is learned of one model on one backend. Plain values.
struct LearnedModel {
    Ewma warm_ms;
    Ewma cold_ms;
    Ewma load_ms;
    Ewma tokens_per_second;
    Ewma joules_per_token;
    ErrorRate errors;
    RecentTimes recent_warm_ms;  ///< not kept over a restart
    TimePoint used{};

    void add(const Observation& observation, TimePoint now);
    /// Time to the first token. `configured_ms` 0 = not configured; 0 = nothing is known.
    [[nodiscard]] double latency_ms(bool cold, double configured_ms) const;
    [[nodiscard]] double error_share(TimePoint now) const;
};

/// What is learned of one backend as plain values: its file is made of these.
struct LearnedState {
    std::string endpoint;  ///< another endpoint is another machine: then all starts anew
    LearnedModel all;      ///< over all models; `warm_ms` is of warm and cold ones
    std::map<std::string, LearnedModel, std::less<>> models;
};

/// Called when the first change since the last save was made. Any thread.
class ChangeSignal {
  public:
    explicit ChangeSignal(std::function<void()> wake) : wake_(std::move(wake)) {}
    void changed() {
        if (!changed_.exchange(true, std::memory_order_relaxed)) wake_();
    }
    /// Whether something changed since the last call.
    bool take() { return changed_.exchange(false, std::memory_order_relaxed); }

  private:
    const std::function<void()> wake_;
    std::atomic<bool> changed_{false};
};

/// What is learned of one backend. A short mutex, never held over a co_await. Thread: any.
class LearnedBackend {
  public:
    static constexpr std::size_t kMaxModels = 64;  ///< the least recently used gives way

    LearnedBackend(LearnedState state, std::shared_ptr<ChangeSignal> signal)
        : state_(std::move(state)), signal_(std::move(signal)) {}

    void add(std::string_view model, const Observation& observation, TimePoint now);

    struct Estimate {
        double latency_ms = 0;  ///< 0 = not known
        double error_share = 0;
        std::optional<double> load_ms;
    };
    [[nodiscard]] Estimate estimate(std::string_view model, bool cold, double configured_ms,
                                    TimePoint now) const;

    /// The time to first token of a loaded model that `percent` of the last requests did not
    /// exceed; nothing while too few were seen.
    [[nodiscard]] std::optional<double> first_token_ms(std::string_view model,
                                                       unsigned percent) const;

    /// Over all models, for people.
    struct Summary {
        double latency_ms = 0;
        std::optional<double> ttft_ms;  ///< measured alone
        std::optional<double> tokens_per_second;
        std::optional<double> joules_per_token;
    };
    /// Of a configured value 0 means that there is none.
    [[nodiscard]] Summary summary(double configured_ms, double configured_speed) const;

    [[nodiscard]] LearnedState state() const;

  private:
    mutable std::mutex mutex_;
    LearnedState state_;
    const std::shared_ptr<ChangeSignal> signal_;
};

/// Milliseconds to wait for the head of a stream: what is configured, and for a model that has to
/// be loaded twice its learned load time on top; never more than `whole`.
[[nodiscard]] Milliseconds head_timeout(Milliseconds configured, Milliseconds whole,
                                        std::optional<double> load_ms);

}  // namespace ollama_proxy::router
