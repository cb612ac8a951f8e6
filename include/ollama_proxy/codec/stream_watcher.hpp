#pragma once

#include "ollama_proxy/codec/request_scan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

/// What a stream consists of and how it says that it is complete.
enum class StreamDialect {
    openai,     ///< SSE; complete with `[DONE]` or a finish_reason
    responses,  ///< SSE of /v1/responses; response.completed, .incomplete or .failed
    anthropic,  ///< SSE of /v1/messages; message_stop
    ollama,     ///< NDJSON; a line with "done":true
};

[[nodiscard]] StreamDialect stream_dialect_of(Api api);
[[nodiscard]] bool is_sse(StreamDialect dialect);

/// What was learnt of an answer while it went by. Counts are of this answer alone.
struct AnswerFacts {
    bool done_marker = false;  ///< `data: [DONE]` was seen
    bool finished = false;     ///< the dialect's own end (finish_reason, done:true, ...) was seen
    bool error = false;        ///< an error object came in place of content
    bool malformed = false;    ///< whole answers: not JSON, or cut in the middle of it
    bool first_is_error = false;  ///< ... and it was the first event
    std::string error_message;    ///< its text, at most 512 bytes
    int error_status = 0;  ///< status named in the error object (`code`/`status` 400..599), else 0
    std::uint64_t content_events = 0;  ///< events that carried text: the estimate of tokens
    std::optional<std::uint64_t> prompt_tokens;
    std::optional<std::uint64_t> completion_tokens;  ///< from usage / eval_count
    std::optional<double> load_ms;                   ///< Ollama's load_duration
    std::optional<double> eval_ms;                   ///< Ollama's eval_duration
    bool blind = false;                              ///< an event over 1 MiB went by unread
};

/// Watches a stream that is relayed unchanged: finds where events end across any split of the
/// bytes, holds back the incomplete tail, and keeps the facts. Bytes in = bytes out, in order.
///
/// SSE: lines end with LF, CRLF or CR; comments, multi-line `data:`, `data:` without a blank, BOM.
/// NDJSON: lines end with LF (or CRLF). A tail is held up to 64 KiB; a longer event is passed on
/// in pieces and then `at_boundary()` is false until it ends. Events are read up to 1 MiB, longer
/// ones pass unread (`blind`). An event inside one `feed` is read in place, without a copy.
class StreamWatcher {
  public:
    explicit StreamWatcher(StreamDialect dialect) : dialect_(dialect) {}

    /// What may be sent on now, in this order: bytes held from before, then a prefix of the bytes
    /// just fed. `held` is valid until the next call, `fresh` as long as the caller's bytes.
    struct Release {
        std::string_view held;
        std::string_view fresh;
        [[nodiscard]] bool empty() const { return held.empty() && fresh.empty(); }
    };
    [[nodiscard]] Release feed(std::string_view bytes);

    /// The transport ended cleanly: an unterminated last event counts now (a missing last blank
    /// line is legal) and is returned; a tail that is no whole line of NDJSON or SSE is returned
    /// too, as bytes of the backend, but `facts()` then decide whether the answer was whole.
    /// When the transport broke, do not call this: the tail is not passed on.
    [[nodiscard]] std::string_view finish();

    /// False while a long event is half sent: then nothing of ours can be put into the stream.
    [[nodiscard]] bool at_boundary() const { return !mid_event_; }

    /// After `finish()`: the line ends that are missing so that an event of ours can follow
    /// ("", "\n" or "\n\n").
    [[nodiscard]] std::string_view separator() const { return separator_; }

    [[nodiscard]] const AnswerFacts& facts() const { return facts_; }

    /// The answer is complete in its dialect.
    [[nodiscard]] bool complete() const {
        return (facts_.finished || facts_.done_marker) && !facts_.error;
    }

  private:
    /// First event end in [p, end), or null; keeps the state of the line for the next bytes.
    [[nodiscard]] const char* find_event_end(const char* p, const char* end);
    [[nodiscard]] const char* find_sse_event_end(const char* p, const char* end);
    [[nodiscard]] const char* end_of_sse_line(const char* end_mark, const char* end, bool& blank);
    Release hold(std::string_view bytes, std::size_t whole, Release release);
    void end_event(std::string_view bytes, Release& release);
    void keep_for_reading(std::string_view bytes);
    bool read_long_event();
    /// False when the event holds a payload that is no JSON.
    bool read_event(std::string_view event);
    bool read_sse_event(std::string_view event);
    bool read_payload(std::string_view payload, bool named_error);

    StreamDialect dialect_;
    AnswerFacts facts_;
    std::string tail_;      ///< incomplete event that is held back
    std::string released_;  ///< keeps Release::held alive
    std::string inspect_;   ///< copy of a long event for reading, at most 1 MiB
    std::string_view separator_;
    std::uint64_t events_ = 0;
    bool mid_event_ = false;   ///< a long event is half sent
    bool unread_ = false;      ///< ... and it is longer than can be read
    bool line_open_ = false;   ///< bytes came since the last line end
    bool event_open_ = false;  ///< a line came since the last event end
    bool after_cr_ = false;    ///< the last byte was CR: an LF still belongs to that line end
    bool started_ = false;     ///< the first event was read: no BOM after it
};

/// Facts of a whole (not streamed) answer body. `error` is set for a JSON object with an `error`
/// member and for a body that is not JSON at all where JSON was due.
[[nodiscard]] AnswerFacts inspect_answer(Api api, std::string_view body);

}  // namespace ollama_proxy::codec
