#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace ollama_proxy {

/// One published immutable value. Readers take a reference-counted copy and keep it as long as
/// they like; a writer swaps in a new one. A mutex, held for one pointer copy, because thread
/// sanitizer cannot see through std::atomic<std::shared_ptr>.
template <class T>
class SnapshotCell {
  public:
    SnapshotCell() = default;
    explicit SnapshotCell(std::shared_ptr<const T> value) : value_(std::move(value)) {}

    [[nodiscard]] std::shared_ptr<const T> load() const {
        std::lock_guard lock(mutex_);
        return value_;
    }
    void store(std::shared_ptr<const T> value) {
        std::lock_guard lock(mutex_);
        value_.swap(value);  // the old value dies after the lock is gone
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> value_;
};

}  // namespace ollama_proxy
