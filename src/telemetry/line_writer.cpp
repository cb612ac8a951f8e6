#include "telemetry/line_writer.hpp"

#include "telemetry/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

namespace ollama_proxy::telemetry {
namespace {

using config::LogFormat;
using config::LogLevel;

constexpr char kHex[] = "0123456789abcdef";

/// Priorities of syslog(3), which journald reads from `<N>` at the start of a line.
char journal_priority(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return '3';
        case LogLevel::warn:
            return '4';
        case LogLevel::info:
            return '6';
        case LogLevel::trace:
        case LogLevel::debug:
        case LogLevel::off:
            break;
    }
    return '7';
}

std::string_view level_word(LogLevel level) {
    switch (level) {
        case LogLevel::trace:
            return "TRACE";
        case LogLevel::debug:
            return "DEBUG";
        case LogLevel::info:
            return "INFO";
        case LogLevel::warn:
            return "WARN";
        case LogLevel::error:
            return "ERROR";
        case LogLevel::off:
            break;
    }
    return "OFF";
}

std::string_view level_word_json(LogLevel level) {
    switch (level) {
        case LogLevel::trace:
            return "trace";
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
        case LogLevel::off:
            break;
    }
    return "off";
}

std::string_view level_colour(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return "\x1b[31m";
        case LogLevel::warn:
            return "\x1b[33m";
        case LogLevel::info:
            return "\x1b[32m";
        case LogLevel::trace:
        case LogLevel::debug:
        case LogLevel::off:
            break;
    }
    return "\x1b[2m";
}

/// C0, DEL, C1 (terminals obey 8-bit controls too) and the separators that some viewers break at.
bool is_control(std::uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

void append_u_escape(std::string& out, std::uint32_t c) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(c >> shift) & 0xf];
}

void append_byte_escape(std::string& out, unsigned char byte) {
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
}

/// \n, \r, \t, or nothing when the character has no letter of its own.
char letter_escape(std::uint32_t c) {
    switch (c) {
        case '\n':
            return 'n';
        case '\r':
            return 'r';
        case '\t':
            return 't';
        default:
            return 0;
    }
}

/// Values that a reader (or `cut`) can take as they stand.
bool is_plain(std::string_view value) {
    return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != '"' && c != '=' && c != '\\';
    });
}

void append_digits(std::string& out, int value, int width) {
    char digits[8];
    for (int i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
    out.append(digits, static_cast<std::size_t>(width));
}

}  // namespace

void append_time(std::string& out, std::chrono::system_clock::time_point time) {
    using namespace std::chrono;
    const auto ms = floor<milliseconds>(time);
    const auto s = floor<seconds>(ms);
    const std::time_t t = system_clock::to_time_t(s);
    std::tm utc{};
    gmtime_r(&t, &utc);
    append_digits(out, utc.tm_year + 1900, 4);
    out += '-';
    append_digits(out, utc.tm_mon + 1, 2);
    out += '-';
    append_digits(out, utc.tm_mday, 2);
    out += 'T';
    append_digits(out, utc.tm_hour, 2);
    out += ':';
    append_digits(out, utc.tm_min, 2);
    out += ':';
    append_digits(out, utc.tm_sec, 2);
    out += '.';
    append_digits(out, static_cast<int>((ms - s).count()), 3);
    out += 'Z';
}

void append_json_escaped(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto [code, length] = decode_utf8(text.substr(i));
        if (length == 0) {
            out += "\xef\xbf\xbd";
            ++i;
        } else if (code == '"' || code == '\\') {
            out += '\\';
            out += static_cast<char>(code);
            i += length;
        } else if (const char letter = letter_escape(code)) {
            out += '\\';
            out += letter;
            i += length;
        } else if (is_control(code)) {
            append_u_escape(out, code);
            i += length;
        } else {
            out += text.substr(i, length);
            i += length;
        }
    }
}

void append_text_escaped(std::string& out, std::string_view text, bool quoted) {
    for (std::size_t i = 0; i < text.size();) {
        const auto [code, length] = decode_utf8(text.substr(i));
        if (length == 0) {
            append_byte_escape(out, static_cast<unsigned char>(text[i]));
            ++i;
            continue;
        }
        if (quoted && (code == '"' || code == '\\')) {
            out += '\\';
            out += static_cast<char>(code);
        } else if (const char letter = letter_escape(code)) {
            out += '\\';
            out += letter;
        } else if (code < 0x80 && is_control(code)) {
            append_byte_escape(out, static_cast<unsigned char>(code));
        } else if (is_control(code)) {
            append_u_escape(out, code);
        } else {
            out += text.substr(i, length);
        }
        i += length;
    }
}

LineWriter::LineWriter(std::string& out, LineStyle style, LogLevel level,
                       std::chrono::system_clock::time_point time, std::string_view message)
    : out_(out), json_(style.format == LogFormat::json) {
    switch (style.format) {
        case LogFormat::json:
            out_ += R"({"time":")";
            append_time(out_, time);
            out_ += R"(","level":")";
            out_ += level_word_json(level);
            out_ += R"(","message":")";
            append_json_escaped(out_, message);
            out_ += '"';
            return;
        case LogFormat::journal:
            // journald stamps the time itself
            out_ += '<';
            out_ += journal_priority(level);
            out_ += '>';
            break;
        case LogFormat::text:
            append_time(out_, time);
            out_ += ' ';
            if (style.colour) out_ += level_colour(level);
            out_ += level_word(level);
            if (style.colour) out_ += "\x1b[0m";
            out_ += ' ';
            break;
    }
    append_text_escaped(out_, message, false);
}

void LineWriter::key(std::string_view name) {
    if (json_) {
        out_ += ",\"";
        append_json_escaped(out_, name);
        out_ += "\":";
    } else {
        out_ += ' ';
        append_text_escaped(out_, name, false);
        out_ += '=';
    }
}

LineWriter& LineWriter::text(std::string_view name, std::string_view value) {
    key(name);
    if (json_) {
        out_ += '"';
        append_json_escaped(out_, value);
        out_ += '"';
    } else if (is_plain(value)) {
        out_ += value;
    } else {
        out_ += '"';
        append_text_escaped(out_, value, true);
        out_ += '"';
    }
    return *this;
}

LineWriter& LineWriter::number(std::string_view name, std::int64_t value) {
    key(name);
    char buffer[24];
    out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
    return *this;
}

LineWriter& LineWriter::number(std::string_view name, double value, int decimals) {
    key(name);
    if (!std::isfinite(value)) value = 0;  // JSON has no word for it
    value = std::clamp(value, -1e15, 1e15);
    char buffer[48];
    out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value,
                                      std::chars_format::fixed, std::clamp(decimals, 0, 6))
                            .ptr);
    return *this;
}

LineWriter& LineWriter::flag(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
    return *this;
}

void LineWriter::finish() {
    if (json_) out_ += '}';
    out_ += '\n';
}

}  // namespace ollama_proxy::telemetry
