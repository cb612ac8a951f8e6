#pragma once

#include <atomic>
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
    explicit SnapshotCell(std::shared_ptr<const T> value)
        : value_(std::move(value)), current_(value_.get()) {}

    [[nodiscard]] std::shared_ptr<const T> load() const {
        std::lock_guard lock(mutex_);
        return value_;
    }
    /// Makes `held` what `load` gives. Where it is that already, which is nearly always, this takes
    /// no lock and counts no reference: a line that all workers only read stays in their caches.
    void refresh(std::shared_ptr<const T>& held) const {
        // what is held lives, so no other value can have its address
        if (held && current_.load(std::memory_order_acquire) == held.get()) return;
        held = load();
    }
    void store(std::shared_ptr<const T> value) {
        std::lock_guard lock(mutex_);
        current_.store(value.get(), std::memory_order_release);
        value_.swap(value);  // the old value dies after the lock is gone
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> value_;
    std::atomic<const T*> current_{nullptr};  ///< value_.get(), to be read without the lock
};

}  // namespace ollama_proxy
