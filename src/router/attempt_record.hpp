#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/upstream/backend.hpp"
#include "router/backend_notes.hpp"

#include <memory>
#include <string_view>

namespace ollama_proxy::router {

/// Tells the backend's breaker and counters once how a request went: the verdict falls with the
/// first piece (a long stream must not hold a half-open breaker's probe), a later cut is counted
/// on top. Dropped without a verdict, the client has left.
class AttemptRecord {
  public:
    AttemptRecord() = default;
    AttemptRecord(std::shared_ptr<upstream::Backend> backend, std::shared_ptr<BackendNotes> notes)
        : backend_(std::move(backend)), notes_(std::move(notes)) {}
    AttemptRecord(AttemptRecord&&) noexcept = default;
    AttemptRecord& operator=(AttemptRecord&& other) noexcept {
        record(upstream::Outcome::cancelled);
        backend_ = std::move(other.backend_);
        notes_ = std::move(other.notes_);
        judged_ = other.judged_;
        return *this;
    }
    ~AttemptRecord() { record(upstream::Outcome::cancelled); }

    /// It failed; `reason` is one of a few words, for the metrics.
    void failed(std::string_view reason) {
        if (backend_) notes_->metrics.count_failure(reason);
        record(upstream::Outcome::failure);
    }
    void succeeded() { record(upstream::Outcome::success); }
    /// 429: full, not broken.
    void was_busy() { record(upstream::Outcome::busy); }
    /// The client left, or its upload broke.
    void cancelled() { record(upstream::Outcome::cancelled); }

  private:
    void record(upstream::Outcome outcome) {
        if (!backend_) return;
        if (!judged_) {
            backend_->record(outcome, Clock::now());
        } else if (outcome == upstream::Outcome::failure) {
            backend_->record_cut(Clock::now());
        }
        judged_ = true;
    }

    std::shared_ptr<upstream::Backend> backend_;
    std::shared_ptr<BackendNotes> notes_;
    bool judged_ = false;
};

}  // namespace ollama_proxy::router
