#include "codec/json_cursor.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ollama_proxy::codec {
namespace {

std::uint32_t hex4(std::string_view text) {
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + 4, value, 16);
    return value;
}

void append_utf8(std::string& out, std::uint32_t code) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | (code >> 6));
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | (code >> 12));
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xf0 | (code >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

/// Decodes the \u escape at the front of `rest`, both halves of a pair; returns its size.
std::size_t append_unicode_escape(std::string& out, std::string_view rest) {
    std::uint32_t code = hex4(rest.substr(2));
    if (code >= 0xd800 && code < 0xdc00 && rest.size() >= 12 && rest.substr(6, 2) == "\\u") {
        const std::uint32_t low = hex4(rest.substr(8));
        if (low >= 0xdc00 && low < 0xe000) {
            append_utf8(out, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
            return 12;
        }
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    append_utf8(out, code);
    return 6;
}

char plain_escape(char c) {
    switch (c) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return c;
    }
}

}  // namespace

bool JsonValue::has_content() const {
    if (kind == JsonKind::string) return raw.size() > 2;
    if (kind != JsonKind::array && kind != JsonKind::object) return false;
    return raw.find_first_not_of(" \t\r\n", 1) != raw.size() - 1;
}

std::optional<std::uint64_t> JsonValue::as_count() const {
    if (kind != JsonKind::number) return std::nullopt;
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), count);
    if (error == std::errc() && end == raw.data() + raw.size()) return count;
    // 12.0 and 1e3 are counts too, as some servers write them
    const std::optional<double> number = as_number();
    if (!number || *number < 0 || *number >= 9e15) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

std::optional<double> JsonValue::as_number() const {
    if (kind != JsonKind::number) return std::nullopt;
    double number = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
    if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
    return number;
}

std::string decode_json_string(std::string_view inside) {
    std::string out;
    out.reserve(inside.size());
    while (!inside.empty()) {
        const std::size_t plain = std::min(inside.find('\\'), inside.size());
        out.append(inside.substr(0, plain));
        inside.remove_prefix(plain);
        if (inside.empty()) break;
        std::size_t used = 2;
        if (inside[1] == 'u') {
            used = append_unicode_escape(out, inside);
        } else {
            out += plain_escape(inside[1]);
        }
        inside.remove_prefix(used);
    }
    return out;
}

}  // namespace ollama_proxy::codec
