#include "ollama_proxy/codec/stream_watcher.hpp"

#include "codec/answer_facts.hpp"
#include "codec/lines.hpp"

#include <algorithm>
#include <utility>

namespace ollama_proxy::codec {
namespace {

constexpr std::size_t kHoldLimit = 64 * 1024;
constexpr std::size_t kReadLimit = 1024 * 1024;
constexpr std::size_t kKeptRoom = 8 * 1024;

}  // namespace

StreamDialect stream_dialect_of(Api api) {
    switch (api) {
        case Api::responses:
            return StreamDialect::responses;
        case Api::messages:
        case Api::count_tokens:
            return StreamDialect::anthropic;
        case Api::ollama_chat:
        case Api::ollama_generate:
        case Api::ollama_embed:
        case Api::ollama_embeddings:
        case Api::ollama_show:
            return StreamDialect::ollama;
        case Api::chat_completions:
        case Api::completions:
        case Api::embeddings:
            break;
    }
    return StreamDialect::openai;
}

bool is_sse(StreamDialect dialect) { return dialect != StreamDialect::ollama; }

StreamWatcher::Release StreamWatcher::feed(std::string_view bytes) {
    Release release;
    if (bytes.empty()) return release;
    // Thousands of idle streams must not each keep the room of their longest event.
    if (released_.capacity() > kKeptRoom) released_ = std::string();
    const char* const end = bytes.data() + bytes.size();
    const char* start = bytes.data();
    while (const char* stop = find_event_end(start, end)) {
        end_event(between(start, stop), release);
        start = stop;
    }
    const auto whole = static_cast<std::size_t>(start - bytes.data());
    return hold(bytes, whole, release);
}

/// Decides what becomes of the bytes behind the last whole event.
StreamWatcher::Release StreamWatcher::hold(std::string_view bytes, std::size_t whole,
                                           Release release) {
    const std::string_view rest = bytes.substr(whole);
    release.fresh = bytes.substr(0, whole);
    if (rest.empty()) return release;
    if (!mid_event_ && tail_.size() + rest.size() <= kHoldLimit) {
        tail_.append(rest);
        return release;
    }
    if (!mid_event_) {
        mid_event_ = true;
        keep_for_reading(tail_);
        if (!tail_.empty()) {  // then no event ended in these bytes, and nothing else is held
            released_.swap(tail_);
            tail_.clear();
            release.held = released_;
        }
    }
    keep_for_reading(rest);
    release.fresh = bytes;
    return release;
}

/// `bytes` complete the event that was open.
void StreamWatcher::end_event(std::string_view bytes, Release& release) {
    if (mid_event_) {
        keep_for_reading(bytes);
        read_long_event();
        mid_event_ = false;
        return;
    }
    const std::size_t held = tail_.size();
    const bool readable = held + bytes.size() <= kReadLimit;
    if (!readable) facts_.blind = true;
    if (held == 0) {
        if (readable) read_event(bytes);
    } else {
        if (readable) {
            tail_.append(bytes);
            read_event(tail_);
        }
        released_.swap(tail_);
        tail_.clear();
        release.held = std::string_view(released_).substr(0, held);
    }
}

void StreamWatcher::keep_for_reading(std::string_view bytes) {
    if (unread_) return;
    if (inspect_.size() + bytes.size() > kReadLimit) {
        unread_ = true;
        facts_.blind = true;
        inspect_ = std::string();
        return;
    }
    inspect_.append(bytes);
}

bool StreamWatcher::read_long_event() {
    const bool read = !unread_ && read_event(inspect_);
    inspect_ = std::string();  // such events are rare: give the memory back
    unread_ = false;
    return read;
}

std::string_view StreamWatcher::finish() {
    // What is missing behind the last byte, before the state below is read as "ended".
    if (is_sse(dialect_)) {
        separator_ = line_open_ ? "\n\n" : event_open_ ? "\n" : "";
    } else {
        separator_ = line_open_ ? "\n" : "";
    }
    line_open_ = event_open_ = after_cr_ = false;
    if (mid_event_) {
        // Behind a long event that is no whole one nothing of ours makes sense: a plain cut.
        mid_event_ = !read_long_event();
        return {};
    }
    read_event(tail_);
    released_.swap(tail_);
    tail_.clear();
    return released_;
}

const char* StreamWatcher::find_event_end(const char* p, const char* end) {
    if (is_sse(dialect_)) return find_sse_event_end(p, end);
    const char* const lf = find_byte(p, end, '\n');
    line_open_ = lf == nullptr && (line_open_ || p != end);
    return lf != nullptr ? lf + 1 : nullptr;
}

/// An event ends behind a blank line. Its last CR is enough: waiting for an LF that may never come
/// would hold the event back, and one that comes is let through as a blank line of its own.
const char* StreamWatcher::find_sse_event_end(const char* p, const char* end) {
    while (p != end) {
        if (after_cr_) {
            after_cr_ = false;
            if (*p == '\n') {
                ++p;
                if (!event_open_) return p;
                continue;
            }
        }
        const char* const mark = find_line_end(p, end);
        if (mark != p) line_open_ = true;
        if (mark == end) return nullptr;
        bool blank = false;
        p = end_of_sse_line(mark, end, blank);
        if (blank) return p;
    }
    return nullptr;
}

/// Steps over the line end at `mark`; `blank` tells whether the line was empty.
const char* StreamWatcher::end_of_sse_line(const char* mark, const char* end, bool& blank) {
    const char* p = mark + 1;
    if (*mark == '\r') {
        if (p == end) {
            after_cr_ = true;
        } else if (*p == '\n') {
            ++p;
        }
    }
    blank = !line_open_;
    event_open_ = line_open_;
    line_open_ = false;
    return p;
}

bool StreamWatcher::read_event(std::string_view event) {
    if (event.empty()) return true;
    if (!std::exchange(started_, true) && event.starts_with("\xef\xbb\xbf")) event.remove_prefix(3);
    if (is_sse(dialect_)) return read_sse_event(event);
    const std::string_view line = trim_blanks(event);
    return line.empty() || read_payload(line, false);
}

bool StreamWatcher::read_sse_event(std::string_view event) {
    std::string_view data;
    std::string joined;  // only for the rare event with several data lines
    int data_lines = 0;
    bool named_error = false;
    const char* p = event.data();
    const char* const end = p + event.size();
    while (p != end) {
        const char* const line_end = find_line_end(p, end);
        const std::string_view line = between(p, line_end);
        p = line_end == end ? end : line_end + 1;  // the LF of a CRLF reads as a blank line
        const std::size_t colon = std::min(line.find(':'), line.size());
        const std::string_view name = line.substr(0, colon);
        std::string_view value = line.substr(std::min(colon + 1, line.size()));
        if (value.starts_with(' ')) value.remove_prefix(1);
        if (name == "event") {
            named_error = value == "error";
        } else if (name == "data") {
            if (++data_lines == 2) joined = data;
            if (data_lines >= 2) joined.append("\n").append(value);
            data = value;
        }
    }
    if (data_lines == 0) return true;
    return read_payload(trim_blanks(data_lines == 1 ? data : joined), named_error);
}

bool StreamWatcher::read_payload(std::string_view payload, bool named_error) {
    if (payload.empty()) return true;
    if (is_sse(dialect_) && payload == "[DONE]") {
        facts_.done_marker = true;
        ++events_;
        return true;
    }
    const AnswerPiece piece = read_answer_piece(payload);
    if (piece.fault == JsonCursor::Fault::none) {
        add_measures(facts_, piece);
        switch (dialect_) {
            case StreamDialect::openai:
                if (piece.finish) facts_.finished = true;
                break;
            case StreamDialect::responses:
                if (piece.type_is("response.completed") || piece.type_is("response.incomplete") ||
                    piece.type_is("response.failed")) {
                    facts_.finished = true;
                }
                break;
            case StreamDialect::anthropic:
                if (piece.type_is("message_stop")) facts_.finished = true;
                break;
            case StreamDialect::ollama:
                if (piece.done) facts_.finished = true;
                break;
        }
        const bool failed = named_error || (dialect_ == StreamDialect::responses &&
                                            piece.type_is("response.failed"));
        if (auto error = error_of(piece, failed)) {
            if (events_ == 0) facts_.first_is_error = true;
            add_error(facts_, std::move(*error));
        }
    } else if (named_error) {
        if (events_ == 0) facts_.first_is_error = true;
        add_error(facts_, {std::string(payload.substr(0, 512)), 0});
    }
    ++events_;
    return piece.fault == JsonCursor::Fault::none;
}

}  // namespace ollama_proxy::codec
