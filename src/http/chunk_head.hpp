#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace ollama_proxy::http {

/// The line before a chunk of `bytes` bytes; behind them comes one more CRLF.
struct ChunkHead {
    std::array<char, 20> text{};
    std::size_t size = 0;

    explicit ChunkHead(std::size_t bytes) {
        const auto [end, ec] = std::to_chars(text.data(), text.data() + 18, bytes, 16);
        size = static_cast<std::size_t>(end - text.data());
        text[size++] = '\r';
        text[size++] = '\n';
    }
    [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
};

}  // namespace ollama_proxy::http
