#include "router/measurement.hpp"

namespace ollama_proxy::router {
namespace {

/// Ollama reports some milliseconds also for a model that was there.
constexpr double kLoadsMs = 200;
/// Fewer tokens, or a shorter time, say nothing about speed; nor do fewer tokens about energy, most
/// of which went into the prompt then.
constexpr double kFewTokens = 5;
constexpr double kShortMs = 1;

std::optional<double> tokens_of(const codec::AnswerFacts& facts) {
    if (facts.completion_tokens) return static_cast<double>(*facts.completion_tokens);
    if (facts.content_events > 0) return static_cast<double>(facts.content_events);
    return std::nullopt;
}

std::optional<double> speed(double tokens, double ms) {
    if (tokens < kFewTokens || ms < kShortMs) return std::nullopt;
    return tokens * 1000 / ms;
}

std::optional<double> share(double tokens, const std::optional<double>& joules) {
    if (!joules || tokens < kFewTokens) return std::nullopt;
    return *joules / tokens;
}

}  // namespace

Observation observation_of(const codec::AnswerFacts& facts, const StreamTimes& times) {
    Observation out;
    const bool loaded = facts.load_ms ? *facts.load_ms >= kLoadsMs : times.cold;
    if (times.first_text_ms > 0) {
        (loaded ? out.cold_ms : out.warm_ms) = times.first_text_ms;
    }
    if (loaded && facts.load_ms) out.load_ms = facts.load_ms;
    const auto tokens = tokens_of(facts);
    if (!times.whole || !tokens) return out;
    out.tokens_per_second = facts.eval_ms ? speed(*tokens, *facts.eval_ms)
                                          : speed(*tokens - 1, times.last_ms - times.first_text_ms);
    if (!loaded) out.joules_per_token = share(*tokens, times.joules);
    return out;
}

Observation observation_of_whole(const codec::AnswerFacts& facts, double total_ms) {
    Observation out;
    // without a count of tokens a whole answer is one event
    if (!facts.completion_tokens || facts.error) return out;
    out.tokens_per_second =
        speed(static_cast<double>(*facts.completion_tokens), facts.eval_ms.value_or(total_ms));
    return out;
}

void Measurement::begin_stream(const codec::AnswerFacts& facts, TimePoint received, TimePoint now) {
    if (!notes_) return;
    last_ = now;
    if (facts.content_events > 0) first_text_ = now;
    delay_ = telemetry::LocalHistogram(notes_->metrics.piece_delay);
    notes_->metrics.first_token.observe(std::chrono::duration<double>(now - received).count());
}

void Measurement::end_stream(const codec::AnswerFacts& facts, bool whole) {
    const auto notes = std::exchange(notes_, nullptr);
    if (!notes || !notes->learned || last_ == TimePoint{}) return;
    StreamTimes times;
    if (first_text_ != TimePoint{}) times.first_text_ms = to_ms(first_text_ - asked_);
    times.last_ms = to_ms(last_ - asked_);
    times.cold = cold_;
    times.whole = whole;
    times.joules = joules_;
    notes->learned->add(model_, observation_of(facts, times), last_);
}

void Measurement::whole_reply(const codec::AnswerFacts& facts, TimePoint now) {
    const auto notes = std::exchange(notes_, nullptr);
    if (!notes || !notes->learned) return;
    if (cold_ && !facts.eval_ms) return;  // most of the time went into loading
    const Observation seen = observation_of_whole(facts, to_ms(now - asked_));
    if (seen.tokens_per_second) notes->learned->add(model_, seen, now);
}

}  // namespace ollama_proxy::router
