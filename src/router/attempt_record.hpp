#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/upstream/backend.hpp"
#include "router/backend_notes.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// Tells the backend's breaker and counters once how a request went: the verdict falls with the
/// first piece (a long stream must not hold a half-open breaker's probe), a later cut is counted
/// on top. Dropped without a verdict, the client has left.
class AttemptRecord {
  public:
    AttemptRecord() = default;
    AttemptRecord(std::shared_ptr<upstream::Backend> backend, std::shared_ptr<BackendNotes> notes,
                  std::string model)
        : backend_(std::move(backend)), notes_(std::move(notes)), model_(std::move(model)) {}
    AttemptRecord(AttemptRecord&&) noexcept = default;
    AttemptRecord& operator=(AttemptRecord&& other) noexcept {
        record(upstream::Outcome::cancelled);
        backend_ = std::move(other.backend_);
        notes_ = std::move(other.notes_);
        model_ = std::move(other.model_);
        judged_ = other.judged_;
        return *this;
    }
    ~AttemptRecord() { record(upstream::Outcome::cancelled); }

    /// It failed; `reason` is one of a few words, for the metrics.
    void failed(std::string_view reason) {
        if (backend_) notes_->metrics.count_failure(reason);
        record(upstream::Outcome::failure);
    }
    void succeeded(TimePoint now = Clock::now()) { record(upstream::Outcome::success, now); }
    /// 429: full, not broken.
    void was_busy() { record(upstream::Outcome::busy); }
    /// The client left, or its upload broke.
    void cancelled() { record(upstream::Outcome::cancelled); }

  private:
    void record(upstream::Outcome outcome) {
        // most that are dropped have had their verdict
        const bool due = !judged_ || outcome == upstream::Outcome::failure;
        if (backend_ && due) record(outcome, Clock::now());
    }
    void record(upstream::Outcome outcome, TimePoint now) {
        if (!backend_) return;
        const bool failure = outcome == upstream::Outcome::failure;
        if (!judged_) {
            backend_->record(outcome, now);
        } else if (failure) {
            backend_->record_cut(now);
        }
        const bool tells = failure || (outcome == upstream::Outcome::success && !judged_);
        if (tells && notes_->learned) {
            Observation seen;
            seen.failed = failure;
            notes_->learned->add(model_, seen, now);
        }
        judged_ = true;
    }

    std::shared_ptr<upstream::Backend> backend_;
    std::shared_ptr<BackendNotes> notes_;
    std::string model_;
    bool judged_ = false;
};

}  // namespace ollama_proxy::router
