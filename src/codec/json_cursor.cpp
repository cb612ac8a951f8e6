#include "codec/json_cursor.hpp"

#include <bit>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ollama_proxy::codec {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// First byte that ends a run of plain string bytes: quote, backslash or control byte.
const char* skip_plain(const char* p, const char* end) {
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"');
    const __m128i slashes = _mm_set1_epi8('\\');
    const __m128i highest_control = _mm_set1_epi8(0x1f);
    while (end - p >= 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, highest_control), bytes);
        const __m128i found = _mm_or_si128(
            control, _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes)));
        const auto mask = static_cast<unsigned>(_mm_movemask_epi8(found));
        if (mask != 0) return p + std::countr_zero(mask);
        p += 16;
    }
#endif
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHigh = 0x8080808080808080;
    while (end - p >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, 8);
        const std::uint64_t quote = word ^ (kOnes * '"');
        const std::uint64_t slash = word ^ (kOnes * '\\');
        const std::uint64_t found = ((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) |
                                    ((word - kOnes * 0x20) & ~word);
        if constexpr (std::endian::native == std::endian::little) {
            // the lowest mark is exact, whatever the borrow did above it
            if ((found & kHigh) != 0) return p + (std::countr_zero(found & kHigh) >> 3);
        } else if ((found & kHigh) != 0) {
            break;
        }
        p += 8;
    }
    while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
    return p;
}

JsonKind kind_of(char first) {
    switch (first) {
        case '{':
            return JsonKind::object;
        case '[':
            return JsonKind::array;
        case '"':
            return JsonKind::string;
        case 't':
        case 'f':
            return JsonKind::boolean;
        case 'n':
            return JsonKind::null;
        default:
            return first == '-' || is_digit(first) ? JsonKind::number : JsonKind::none;
    }
}

}  // namespace

JsonKind JsonCursor::peek() {
    skip_blanks();
    return p_ == end_ || fault_ != Fault::none ? JsonKind::none : kind_of(*p_);
}

void JsonCursor::enter(char open) {
    skip_blanks();
    if (fault_ != Fault::none || p_ == end_ || *p_ != open) {
        fail();
        return;
    }
    if (depth_ == max_depth_) {
        fail(Fault::depth);
        return;
    }
    ++p_;
    ++depth_;
    fresh_ = true;
}

bool JsonCursor::next(char close) {
    skip_blanks();
    if (fault_ != Fault::none || p_ == end_) return fail();
    if (*p_ == close) {
        ++p_;
        --depth_;
        fresh_ = false;
        return false;
    }
    if (!fresh_) {
        if (*p_ != ',') return fail();
        ++p_;
        skip_blanks();
    }
    fresh_ = false;
    return true;
}

bool JsonCursor::next_member(std::string_view& key) { return next('}') && take_key(key); }

bool JsonCursor::next_element() { return next(']'); }

JsonValue JsonCursor::take() {
    JsonValue value{peek(), {}};
    const char* const start = p_;
    const bool taken = value.kind == JsonKind::object || value.kind == JsonKind::array
                           ? take_container()
                           : take_scalar();
    fresh_ = false;
    if (!taken) return {};
    value.raw = {start, static_cast<std::size_t>(p_ - start)};
    return value;
}

bool JsonCursor::at_end() {
    skip_blanks();
    return fault_ == Fault::none && depth_ == 0 && p_ == end_;
}

bool JsonCursor::take_key(std::string_view& key) {
    const char* const start = p_;
    if (p_ == end_ || *p_ != '"' || !take_string()) return fail();
    key = {start + 1, static_cast<std::size_t>(p_ - start - 2)};
    skip_blanks();
    if (p_ == end_ || *p_ != ':') return fail();
    ++p_;
    return true;
}

bool JsonCursor::take_container() {
    // The open brackets are bits, 1 for an object: max_depth is at most 64.
    std::uint64_t open = 0;
    int inside = 0;
    std::string_view key;
    for (;;) {
        skip_blanks();
        if (p_ == end_) return fail();
        const char c = *p_;
        bool first = false;
        if (c == '{' || c == '[') {
            if (depth_ + inside == max_depth_) return fail(Fault::depth);
            ++p_;
            ++inside;
            open = open << 1 | static_cast<std::uint64_t>(c == '{');
            first = true;
        } else if (!take_scalar()) {
            return false;
        }
        for (;;) {  // behind a value, or just behind an opening bracket
            if (inside == 0) return true;
            skip_blanks();
            if (p_ == end_) return fail();
            const bool in_object = (open & 1) != 0;
            if (*p_ == (in_object ? '}' : ']')) {
                ++p_;
                --inside;
                open >>= 1;
                first = false;
                continue;
            }
            if (!first) {
                if (*p_ != ',') return fail();
                ++p_;
                skip_blanks();
            }
            if (in_object && !take_key(key)) return false;
            break;
        }
    }
}

bool JsonCursor::take_scalar() {
    if (fault_ != Fault::none || p_ == end_) return fail();
    switch (*p_) {
        case '"':
            return take_string();
        case 't':
            return take_word("true");
        case 'f':
            return take_word("false");
        case 'n':
            return take_word("null");
        default:
            return take_number();
    }
}

bool JsonCursor::take_word(std::string_view word) {
    if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(word)) return fail();
    p_ += word.size();
    return true;
}

bool JsonCursor::take_string() {
    ++p_;
    for (;;) {
        p_ = skip_plain(p_, end_);
        if (p_ == end_) return fail();
        if (*p_ == '"') {
            ++p_;
            return true;
        }
        if (*p_ != '\\' || end_ - p_ < 2) return fail();
        if (p_[1] == 'u') {
            if (end_ - p_ < 6) return fail();
            for (int i = 2; i < 6; ++i) {
                if (!is_hex(p_[i])) return fail();
            }
            p_ += 6;
        } else {
            // strchr would also find the end of its own text
            if (p_[1] == '\0' || std::strchr("\"\\/bfnrt", p_[1]) == nullptr) return fail();
            p_ += 2;
        }
    }
}

bool JsonCursor::take_number() {
    const auto digits = [this] {
        if (p_ == end_ || !is_digit(*p_)) return fail();
        while (p_ != end_ && is_digit(*p_)) ++p_;
        return true;
    };
    if (*p_ == '-') ++p_;
    if (p_ != end_ && *p_ == '0') {
        ++p_;
    } else if (!digits()) {
        return false;
    }
    if (p_ != end_ && *p_ == '.') {
        ++p_;
        if (!digits()) return false;
    }
    if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
        ++p_;
        if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
        if (!digits()) return false;
    }
    return true;
}

void JsonCursor::skip_known_blanks() {
    while (p_ != end_ && is_blank(*p_)) ++p_;
}

bool JsonCursor::fail(Fault fault) {
    if (fault_ == Fault::none) fault_ = fault;
    return false;
}

}  // namespace ollama_proxy::codec
