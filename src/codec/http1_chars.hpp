#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ollama_proxy::codec::chars {

// One table lookup per byte: what a byte may be part of.
inline constexpr std::uint8_t kToken = 1;   ///< method and field names
inline constexpr std::uint8_t kTarget = 2;  ///< visible ASCII
inline constexpr std::uint8_t kText = 4;    ///< field values and reason phrases
inline constexpr std::uint8_t kHost = 8;    ///< a name or an IPv4 address

[[nodiscard]] constexpr std::array<std::uint8_t, 256> make_table() {
    std::array<std::uint8_t, 256> table{};
    for (unsigned c = 0; c < 256; ++c) {
        const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        std::uint8_t kind = 0;
        if (alpha || digit) kind |= kToken;
        if (c < 128 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                           std::string_view::npos) {
            kind |= kToken;
        }
        if (c > 0x20 && c < 0x7f) kind |= kTarget;
        if (c == '\t' || (c >= 0x20 && c != 0x7f)) kind |= kText;
        if (alpha || digit || c == '-' || c == '.' || c == '_') kind |= kHost;
        table[c] = kind;
    }
    return table;
}

inline constexpr std::array<std::uint8_t, 256> kTable = make_table();

[[nodiscard]] constexpr bool is(char c, std::uint8_t kind) {
    return (kTable[static_cast<unsigned char>(c)] & kind) != 0;
}

/// First byte in [p, end) that is not of `kind`.
[[nodiscard]] constexpr const char* skip(const char* p, const char* end, std::uint8_t kind) {
    while (p != end && is(*p, kind)) ++p;
    return p;
}

/// First byte in [p, end) that is no text, eight bytes at a step.
[[nodiscard]] inline const char* skip_text(const char* p, const char* end) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHigh = 0x8080808080808080;
    for (;;) {
        while (end - p >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, p, 8);
            const std::uint64_t below_blank = (word - kOnes * 0x20) & ~word & kHigh;
            const std::uint64_t not_del = word ^ (kOnes * 0x7f);
            const std::uint64_t del = (not_del - kOnes) & ~not_del & kHigh;
            if ((below_blank | del) != 0) break;
            p += 8;
        }
        const char* const stop = end - p >= 8 ? p + 8 : end;
        p = skip(p, stop, kText);
        // A tab sends a word here though it is text: go on behind that word.
        if (p != stop || p == end) return p;
    }
}

}  // namespace ollama_proxy::codec::chars
