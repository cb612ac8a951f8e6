#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

namespace ollama_proxy::codec {

/// First `byte` in [p, end), or null.
inline const char* find_byte(const char* p, const char* end, char byte) {
    if (p == end) return nullptr;
    return static_cast<const char*>(std::memchr(p, byte, static_cast<std::size_t>(end - p)));
}

/// First LF or CR in [p, end), or `end`. Two fast searches: CR is rare, LF near.
inline const char* find_line_end(const char* p, const char* end) {
    const char* const lf = find_byte(p, end, '\n');
    const char* const stop = lf != nullptr ? lf : end;
    const char* const cr = find_byte(p, stop, '\r');
    return cr != nullptr ? cr : stop;
}

inline std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

inline std::string_view trim_blanks(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace ollama_proxy::codec
