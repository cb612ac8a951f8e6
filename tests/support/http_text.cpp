#include "support/http_text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>

namespace ollama_proxy::support {

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

std::string HeadText::get(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) return value;
    }
    return {};
}

std::size_t HeadText::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(headers.begin(), headers.end(),
                      [&](const auto& field) { return same_name(field.first, name); }));
}

bool HeadText::is_chunked() const { return same_name(get("Transfer-Encoding"), "chunked"); }

std::optional<std::uint64_t> HeadText::length() const {
    const std::string value = get("Content-Length");
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
    if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
    return out;
}

std::string HeadText::word(int n) const {
    std::istringstream words(first_line);
    std::string out;
    for (int i = 0; i <= n; ++i) {
        if (!(words >> out)) return {};
    }
    return out;
}

std::optional<HeadText> take_head(std::string& bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    HeadText head;
    std::size_t at = bytes.find("\r\n");
    head.first_line = bytes.substr(0, at);
    while (at < end) {
        const std::size_t begin = at + 2;
        at = bytes.find("\r\n", begin);
        const std::string line = bytes.substr(begin, at - begin);
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        const std::size_t value = line.find_first_not_of(" \t", colon + 1);
        head.headers.emplace_back(line.substr(0, colon),
                                  value == std::string::npos ? "" : line.substr(value));
    }
    bytes.erase(0, end + 4);
    return head;
}

ChunkState take_chunk(std::string& bytes, std::string& data) {
    const std::size_t line = bytes.find("\r\n");
    if (line == std::string::npos) return ChunkState::need_more;
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + line, size, 16);
    if (error != std::errc() || (end != bytes.data() + line && *end != ';')) return ChunkState::bad;
    if (size == 0) {
        // No trailers: the blank line stands right behind the size line.
        const std::size_t blank = bytes.find("\r\n\r\n", line);
        if (blank == std::string::npos) return ChunkState::need_more;
        bytes.erase(0, blank + 4);
        return ChunkState::last;
    }
    if (bytes.size() < line + 2 + size + 2) return ChunkState::need_more;
    if (bytes.compare(line + 2 + size, 2, "\r\n") != 0) return ChunkState::bad;
    data = bytes.substr(line + 2, size);
    bytes.erase(0, line + 2 + size + 2);
    return ChunkState::data;
}

std::string chunk_of(std::string_view payload) {
    std::ostringstream out;
    out << std::hex << payload.size() << "\r\n" << payload << "\r\n";
    return out.str();
}

}  // namespace ollama_proxy::support
