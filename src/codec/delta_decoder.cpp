#include "ollama_proxy/codec/delta_decoder.hpp"

#include "codec/answer_reader.hpp"
#include "codec/lines.hpp"
#include "ollama_proxy/codec/json_text.hpp"
#include "ollama_proxy/codec/stream_watcher.hpp"

#include <utility>

namespace ollama_proxy::codec {
namespace {

constexpr std::size_t kKeptRoom = 8 * 1024;

Error too_long() {
    return make_error(Errc::bad_gateway, "the backend sent an event of more than 1 MiB");
}

std::string decoded(const JsonValue& value) {
    if (!value.has_content()) return {};
    return valid_utf8(decode_json_string(value.inside()));
}

/// Thousands of idle streams must not each keep the room of their longest event.
void clear(std::string& buffer) {
    if (buffer.capacity() > kKeptRoom) {
        buffer = std::string();
    } else {
        buffer.clear();
    }
}

}  // namespace

DeltaDecoder::DeltaDecoder(Api api) : sse_(is_sse(stream_dialect_of(api))) {}

bool DeltaDecoder::feed(std::string_view bytes, std::vector<Delta>& out) {
    if (error_) return false;
    const char* p = bytes.data();
    const char* const end = p + bytes.size();
    while (p != end && !summary_.done) {
        if (std::exchange(after_cr_, false) && *p == '\n') {
            ++p;
            continue;
        }
        const char* const mark = sse_ ? find_line_end(p, end) : find_byte(p, end, '\n');
        if (mark == nullptr || mark == end) return keep(line_, between(p, end));
        after_cr_ = sse_ && *mark == '\r';
        const std::string_view fresh = between(p, mark);
        p = mark + 1;
        if (line_.empty()) {
            if (!take_line(fresh, out)) return false;
            continue;
        }
        if (!keep(line_, fresh)) return false;
        const bool taken = take_line(line_, out);
        clear(line_);
        if (!taken) return false;
    }
    return true;
}

bool DeltaDecoder::finish(std::vector<Delta>& out) {
    if (error_) return false;
    if (summary_.done) return true;
    if (!line_.empty()) {
        const std::string line = std::exchange(line_, {});
        if (!take_line(line, out)) return false;
    }
    return end_event(out);
}

bool DeltaDecoder::read_whole(std::string_view body, std::vector<Delta>& out) {
    return !error_ && read_payload(trim_blanks(body), false, out);
}

bool DeltaDecoder::keep(std::string& buffer, std::string_view bytes) {
    if (buffer.size() + bytes.size() > kMaxEvent) return fail(too_long());
    buffer.append(bytes);
    return true;
}

bool DeltaDecoder::take_line(std::string_view line, std::vector<Delta>& out) {
    if (line.size() > kMaxEvent) return fail(too_long());
    if (!std::exchange(started_, true) && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
    if (sse_) return take_sse_line(line, out);
    const std::string_view payload = trim_blanks(line);
    return payload.empty() || read_payload(payload, false, out);
}

bool DeltaDecoder::take_sse_line(std::string_view line, std::vector<Delta>& out) {
    if (line.empty()) return end_event(out);
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "event") named_error_ = value == "error";
    if (name != "data") return true;
    if (std::exchange(has_data_, true) && !keep(data_, "\n")) return false;
    return keep(data_, value);
}

bool DeltaDecoder::end_event(std::vector<Delta>& out) {
    const bool named_error = std::exchange(named_error_, false);
    if (!std::exchange(has_data_, false)) return true;
    const std::string_view payload = trim_blanks(data_);
    bool read = true;
    if (payload == "[DONE]") {
        summary_.done = true;
    } else if (!payload.empty()) {
        read = read_payload(payload, named_error, out);
    }
    clear(data_);
    return read;
}

bool DeltaDecoder::read_payload(std::string_view payload, bool named_error,
                                std::vector<Delta>& out) {
    const AnswerPiece piece = read_answer_piece(payload);
    if (piece.fault != JsonCursor::Fault::none || !payload.starts_with('{')) {
        if (named_error)
            return fail(backend_error(0, valid_utf8(std::string(payload.substr(0, 512)))));
        return fail(
            make_error(Errc::bad_gateway, "the backend sent a line that is no JSON object"));
    }
    if (auto error = error_of(piece, named_error)) {
        return fail(backend_error(error->status, valid_utf8(std::move(error->message))));
    }
    if (piece.prompt_tokens) summary_.prompt_tokens = piece.prompt_tokens;
    if (piece.completion_tokens) summary_.completion_tokens = piece.completion_tokens;
    if (piece.finish_reason.has_content()) summary_.finish_reason = decoded(piece.finish_reason);
    if (!sse_ && piece.done) summary_.done = true;
    Delta delta{decoded(piece.text), decoded(piece.thinking), {}};
    if (!piece.tool_calls.absent())
        delta.tool_calls = valid_utf8(std::string(piece.tool_calls.raw));
    if (delta.empty()) return true;
    ++summary_.content_events;
    out.push_back(std::move(delta));
    return true;
}

bool DeltaDecoder::fail(Error error) {
    error_ = std::move(error);
    line_ = data_ = std::string();
    return false;
}

Error backend_error(int status, std::string message) {
    if (message.empty()) message = "no reason given";
    message = "the backend reported: " + message;
    switch (status) {
        case 400:
        case 413:
        case 422:
            return make_error(Errc::invalid_request, std::move(message));
        case 404:
            return make_error(Errc::model_not_found, std::move(message));
        case 429:
            return make_error(Errc::rate_limited, std::move(message));
        case 503:
            return make_error(Errc::no_available_backends, std::move(message));
        case 504:
            return make_error(Errc::upstream_timeout, std::move(message));
        default:
            return make_error(Errc::bad_gateway, std::move(message));
    }
}

Error backend_error_of(int status, std::string_view body) {
    const AnswerPiece piece = read_answer_piece(body);
    std::string message;
    if (piece.fault == JsonCursor::Fault::none) {
        if (auto error = error_of(piece, true)) message = std::move(error->message);
    }
    if (message.empty()) message = "status " + std::to_string(status);
    return backend_error(status, valid_utf8(std::move(message)));
}

}  // namespace ollama_proxy::codec
