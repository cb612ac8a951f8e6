#pragma once

#include "ollama_proxy/codec/stream_watcher.hpp"
#include "ollama_proxy/telemetry/metrics.hpp"
#include "router/backend_notes.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ollama_proxy::router {

/// The times of one answer, for the metrics and for what is learned of its backend. Per piece it
/// costs one look at the clock and two additions. Thread: the worker of its request.
class Measurement {
  public:
    Measurement() = default;
    /// `cold`: as far as is known the backend has to load the model. `asked`: the request is sent.
    Measurement(std::shared_ptr<BackendNotes> notes, std::string model, bool cold, TimePoint asked)
        : notes_(std::move(notes)), model_(std::move(model)), cold_(cold), asked_(asked) {}

    /// A stream has begun; `received`: when its request came.
    void begin_stream(const codec::AnswerFacts& facts, TimePoint received, TimePoint now);
    /// Another piece of it.
    void piece(const codec::AnswerFacts& facts, TimePoint now) {
        delay_.observe(std::chrono::duration<double>(now - last_).count(), now);
        last_ = now;
        if (first_text_ == TimePoint{} && facts.content_events > 0) first_text_ = now;
    }
    /// What the backend drew for it, told before the end.
    void drew(double joules) { joules_ = joules; }
    /// The stream has ended, cleanly and whole or not: what it showed is learned, once.
    void end_stream(const codec::AnswerFacts& facts, bool whole);
    /// An answer that came whole: it tells the speed alone.
    void whole_reply(const codec::AnswerFacts& facts, TimePoint now);

  private:
    std::shared_ptr<BackendNotes> notes_;  ///< null: nothing is measured, or all was told
    std::string model_;
    bool cold_ = false;
    TimePoint asked_{};
    TimePoint first_text_{};  ///< the first piece with text in it
    TimePoint last_{};
    std::optional<double> joules_;
    telemetry::LocalHistogram delay_;
};

/// What a stream shows, pure. Without text there is no first token; a backend's own word on loading
/// (`load_ms`) goes before what was known of it.
struct StreamTimes {
    double first_text_ms = 0;  ///< from asking to the first text; 0 = there was none
    double last_ms = 0;        ///< from asking to the last piece
    bool cold = false;
    bool whole = false;
    std::optional<double> joules = std::nullopt;  ///< what the backend drew, as far as is known
};
[[nodiscard]] Observation observation_of(const codec::AnswerFacts& facts, const StreamTimes& times);

/// Of an answer that came whole `total_ms` after asking.
[[nodiscard]] Observation observation_of_whole(const codec::AnswerFacts& facts, double total_ms);

}  // namespace ollama_proxy::router
