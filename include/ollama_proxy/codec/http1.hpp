#pragma once

#include "ollama_proxy/common/error.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace ollama_proxy::codec {

// Strict HTTP/1 framing, both directions. Pure: views into the caller's buffer, no I/O, no clock.
// What is refused follows "Hostile input" 1 of the failure contract: smuggling needs two parsers
// that disagree, so everything ambiguous is refused here, before anything is routed.

struct Field {
    std::string_view name;
    std::string_view value;  ///< without surrounding blanks
};

struct HeadLimits {
    std::size_t bytes = 16384;  ///< whole head, blank line included
    std::size_t fields = 100;
    std::size_t target = 8192;
};

/// How the body that follows a head is delimited.
enum class Framing {
    none,         ///< no body
    length,       ///< Content-Length bytes
    chunked,      ///< Transfer-Encoding: chunked
    until_close,  ///< responses only: the body ends with the connection
};

/// Views into the buffer that was parsed: valid while that buffer is unchanged.
struct RequestHead {
    std::string_view method;
    std::string_view target;  ///< as sent (origin-form, absolute-form or `*`)
    int minor_version = 1;
    std::vector<Field> fields;
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;
    bool expect_continue = false;
    std::string_view host;
    std::size_t size = 0;  ///< bytes of the head, blank line included

    /// First field of that name (any case), or an empty view with a null data().
    [[nodiscard]] std::string_view get(std::string_view name) const;
};

struct ResponseHead {
    int status = 0;
    std::string_view reason;
    int minor_version = 1;
    std::vector<Field> fields;
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;
    std::size_t size = 0;

    [[nodiscard]] std::string_view get(std::string_view name) const;
};

enum class HeadState {
    need_more,  ///< the blank line has not come yet
    complete,   ///< the head is parsed; `size` bytes of the buffer are used up
    refused,    ///< `code` and `why` say what is wrong; the connection must close
};

struct HeadOutcome {
    HeadState state = HeadState::need_more;
    Errc code = Errc::invalid_framing;  ///< invalid_framing, uri_too_long or header_too_large
    const char* why = "";               ///< static text, safe to show
};

/// Parses a request head at the front of `buffer`. One empty line before the request line is
/// skipped. `out` keeps its capacity between calls. Bad bytes are reported as soon as they are
/// seen, limits even before the blank line comes. An absolute-form target must name the same
/// authority as Host: nobody could say which of two an allow-list should judge.
[[nodiscard]] HeadOutcome parse_request_head(std::string_view buffer, const HeadLimits& limits,
                                             RequestHead& out);

/// Parses a response head. `request_method` decides whether a body follows (HEAD has none);
/// 1xx, 204 and 304 have none either. `code` is bad_gateway on refusal.
[[nodiscard]] HeadOutcome parse_response_head(std::string_view buffer, const HeadLimits& limits,
                                              std::string_view request_method, ResponseHead& out);

/// Appends the line "name: value" with its end. Neither may hold a CR or LF.
void append_field(std::string& out, std::string_view name, std::string_view value);

/// Incremental decoder of a chunked body. Chunk-size lines over 18 characters (extensions apart,
/// which may have 256), bare LF, and trailers over 8 KiB are refused; trailers are dropped.
class ChunkDecoder {
  public:
    enum class State {
        more,  ///< wants more bytes
        done,  ///< the last chunk and the trailers were consumed
        bad,   ///< framing broken; nothing after it may be used
    };
    struct Step {
        std::size_t consumed = 0;  ///< bytes of `in` used up; less than all only when done or bad
        State state = State::more;
    };

    /// Consumes `in` and appends views of its payload (into `in`) to `data`.
    Step feed(std::string_view in, std::vector<std::string_view>& data);

    /// True between two chunks (and at the start): no half chunk is open.
    [[nodiscard]] bool at_chunk_boundary() const { return phase_ == Phase::size && line_ == 0; }

  private:
    enum class Phase {
        size,        ///< hex digits of a chunk size
        extension,   ///< after ';' up to CR
        size_lf,     ///< LF that ends the size line
        data,        ///< payload bytes
        data_cr,     ///< CR after the payload
        data_lf,     ///< LF after the payload
        trailer,     ///< a trailer line, or the empty last line
        trailer_lf,  ///< LF that ends a trailer line
        end,         ///< all consumed
        broken,      ///< refused
    };
    Phase phase_ = Phase::size;
    std::uint64_t left_ = 0;    ///< payload bytes left in this chunk, or the size being read
    std::size_t line_ = 0;      ///< characters of the current size or trailer line
    std::size_t trailers_ = 0;  ///< bytes of trailers so far
};

}  // namespace ollama_proxy::codec
