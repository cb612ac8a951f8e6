#pragma once

#include "ollama_proxy/common/observers.hpp"
#include "ollama_proxy/router/news.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// What the router tells those who ask to be told. Thread: any.
class NewsDesk {
  public:
    /// Keeps the decision; a lock for two short strings whose memory is used again.
    void note_decision(std::string_view backend, std::string_view reason, double score) {
        const auto now = std::chrono::system_clock::now();
        {
            std::lock_guard lock(mutex_);
            if (!last_) last_.emplace();
            last_->backend = backend;
            last_->reason = reason;
            last_->score = score;
            last_->at = now;
        }
        // not `last_`: another worker may have decided meanwhile
        if (decisions_wanted.load(std::memory_order_relaxed)) {
            decisions.notify({std::string(backend), std::string(reason), score, now});
        }
    }
    [[nodiscard]] std::optional<LastDecision> last_decision() const {
        std::lock_guard lock(mutex_);
        return last_;
    }

    Observers<HealthNews> health;
    Observers<LastDecision> decisions;
    std::atomic<bool> decisions_wanted{false};  ///< somebody has subscribed once
    Observers<bool> activity;

  private:
    mutable std::mutex mutex_;
    std::optional<LastDecision> last_;
};

}  // namespace ollama_proxy::router
