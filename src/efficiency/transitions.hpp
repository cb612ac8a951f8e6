#pragma once

#include "ollama_proxy/efficiency/state.hpp"

#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace ollama_proxy::efficiency {

/// The last kHistoryLimit changes of the mode. Thread: any.
class Transitions {
  public:
    void add(Transition transition) {
        std::lock_guard lock(mutex_);
        if (ring_.size() == kHistoryLimit) ring_.pop_front();
        ring_.push_back(std::move(transition));
    }
    [[nodiscard]] std::vector<Transition> all() const {
        std::lock_guard lock(mutex_);
        return {ring_.begin(), ring_.end()};
    }

  private:
    mutable std::mutex mutex_;
    std::deque<Transition> ring_;
};

}  // namespace ollama_proxy::efficiency
