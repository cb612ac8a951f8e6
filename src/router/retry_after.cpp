#include "router/retry_after.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

namespace ollama_proxy::router {
namespace {

constexpr int kLongest = 60;
constexpr int kGuess = 1;

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still sent; -1 for anything else. Month
/// names are those of the protocol, whatever the locale says.
std::time_t parse_http_date(std::string_view text) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.size() != 29 || text.substr(25) != " GMT") return -1;
    const auto number = [&](std::size_t at, std::size_t size) {
        int value = -1;
        if (is_digits(text.substr(at, size))) {
            std::from_chars(text.data() + at, text.data() + at + size, value);
        }
        return value;
    };
    const std::size_t month = kMonths.find(text.substr(8, 3));
    std::tm parts{};
    parts.tm_mday = number(5, 2);
    parts.tm_mon = static_cast<int>(month / 3);
    parts.tm_year = number(12, 4) - 1900;
    parts.tm_hour = number(17, 2);
    parts.tm_min = number(20, 2);
    parts.tm_sec = number(23, 2);
    const bool good = month != std::string_view::npos && month % 3 == 0 && parts.tm_mday >= 1 &&
                      parts.tm_mday <= 31 && parts.tm_year >= 70 && parts.tm_hour >= 0 &&
                      parts.tm_hour <= 23 && parts.tm_min >= 0 && parts.tm_min <= 59 &&
                      parts.tm_sec >= 0 && parts.tm_sec <= 60;
    return good ? timegm(&parts) : -1;
}

}  // namespace

int retry_after_seconds(std::string_view value, std::time_t now) {
    value = trim(value);
    if (is_digits(value)) {
        int seconds = 0;
        const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (ec != std::errc()) return kLongest;  // more than an int holds
        return std::clamp(seconds, kGuess, kLongest);
    }
    const std::time_t date = parse_http_date(value);
    if (date < 0) return kGuess;
    return static_cast<int>(std::clamp<std::time_t>(date - now, kGuess, kLongest));
}

}  // namespace ollama_proxy::router
