#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ollama_proxy::telemetry {

struct Utf8Char {
    std::uint32_t code = 0;
    std::size_t length = 0;  ///< 0: the text does not start with valid UTF-8
};

/// The first character of a non-empty text. Overlong forms, surrogates and what is cut are refused.
[[nodiscard]] constexpr Utf8Char decode_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::uint32_t first = byte(0);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
    std::uint32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {};
        code = code << 6 | (byte(i) & 0x3fU);
    }
    if (length == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) return {};
    if (length == 4 && (code < 0x10000 || code > 0x10ffff)) return {};
    return {code, length};
}

}  // namespace ollama_proxy::telemetry
