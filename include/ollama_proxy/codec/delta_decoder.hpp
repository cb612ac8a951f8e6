#pragma once

#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::codec {

/// What one event of an answer adds. All text is valid UTF-8 (bytes that are none are replaced).
struct Delta {
    std::string text;
    std::string thinking;    ///< reasoning, apart from the answer
    std::string tool_calls;  ///< a JSON array as it came: whole calls, or fragments with `index`

    [[nodiscard]] bool empty() const {
        return text.empty() && thinking.empty() && tool_calls.empty();
    }
    friend bool operator==(const Delta&, const Delta&) = default;
};

/// What is known of an answer so far, over all its events.
struct AnswerSummary {
    std::string finish_reason;  ///< "stop", "length", ... in the backend's word; empty: not said
    bool done = false;          ///< `[DONE]` or "done":true was seen; nothing behind it counts
    std::uint64_t content_events = 0;  ///< events that carried something of the model
    std::optional<std::uint64_t> prompt_tokens;
    std::optional<std::uint64_t> completion_tokens;

    /// Tokens of the answer; an estimate where the backend told no usage.
    [[nodiscard]] std::uint64_t tokens() const {
        return completion_tokens.value_or(content_events);
    }
    [[nodiscard]] bool estimated() const { return !completion_tokens; }
    friend bool operator==(const AnswerSummary&, const AnswerSummary&) = default;
};

/// Reads a streamed answer of `/v1/chat/completions` or `/v1/completions` (SSE), `/api/chat` or
/// `/api/generate` (NDJSON) in pieces of any size, and gives what each event adds. The one place
/// where answers are translated: WebSocket and gRPC read through it.
///
/// Lines end as StreamWatcher allows. A line that is no JSON object, one (or an event) over 1 MiB,
/// and an error object in place of content end the decoding with `error()`. Whether an answer that
/// just stops was complete is not decided here but by StreamWatcher.
/// Pure. It keeps at most the incomplete event.
class DeltaDecoder {
  public:
    static constexpr std::size_t kMaxEvent = 1024 * 1024;

    explicit DeltaDecoder(Api api);

    /// Reads more bytes and appends what they add to `out`; events that add nothing give no delta.
    /// False: `error()` says why, and nothing more is read.
    [[nodiscard]] bool feed(std::string_view bytes, std::vector<Delta>& out);
    /// The transport ended cleanly: a last event without its line end counts. False as `feed`.
    [[nodiscard]] bool finish(std::vector<Delta>& out);
    /// Instead of both: an answer that came whole, as one JSON object. False as `feed`.
    [[nodiscard]] bool read_whole(std::string_view body, std::vector<Delta>& out);

    [[nodiscard]] const std::optional<Error>& error() const { return error_; }
    [[nodiscard]] const AnswerSummary& summary() const { return summary_; }

  private:
    [[nodiscard]] bool keep(std::string& buffer, std::string_view bytes);
    [[nodiscard]] bool take_line(std::string_view line, std::vector<Delta>& out);
    [[nodiscard]] bool take_sse_line(std::string_view line, std::vector<Delta>& out);
    [[nodiscard]] bool end_event(std::vector<Delta>& out);
    [[nodiscard]] bool read_payload(std::string_view payload, bool named_error,
                                    std::vector<Delta>& out);
    bool fail(Error error);

    bool sse_;
    bool after_cr_ = false;     ///< the last byte was CR: an LF still belongs to that line end
    bool started_ = false;      ///< the first line was read: no BOM after it
    bool has_data_ = false;     ///< SSE: a `data:` line of the open event was read
    bool named_error_ = false;  ///< SSE: the open event is called `error`
    std::string line_;          ///< incomplete line
    std::string data_;          ///< SSE: `data:` lines of the open event, joined by LF
    std::optional<Error> error_;
    AnswerSummary summary_;
};

/// The error that a backend's own error means to a client of a translated answer: status 400 stays
/// invalid_request, 404 model_not_found, 429 rate_limited, 503 no_available_backends, 504
/// upstream_timeout; everything else is bad_gateway (status 0: not said).
[[nodiscard]] Error backend_error(int status, std::string message);

/// The same from a whole error answer: its message is taken from the JSON body of any dialect.
[[nodiscard]] Error backend_error_of(int status, std::string_view body);

}  // namespace ollama_proxy::codec
