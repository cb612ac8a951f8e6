#include "demo/wall_clock.hpp"

#include <array>
#include <ctime>

namespace ollama_proxy::demo {

namespace {

std::string formatted(std::int64_t second, const char* format) {
    const auto time = static_cast<std::time_t>(second);
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::array<char, 40> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), format, &parts);
    return {text.data(), size};
}

}  // namespace

void StampWriter::append(std::string& out, WallTime at) {
    const std::int64_t nanos =
        std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
    const std::int64_t second = nanos / 1'000'000'000;
    if (second != second_) {
        second_ = second;
        rendered_ = formatted(second, "%Y-%m-%dT%H:%M:%S.");
    }
    std::array<char, 10> fraction{};
    std::int64_t left = nanos % 1'000'000'000;
    for (int i = 8; i >= 0; --i) {
        fraction[static_cast<std::size_t>(i)] = static_cast<char>('0' + left % 10);
        left /= 10;
    }
    fraction[9] = 'Z';
    out += rendered_;
    out.append(fraction.data(), fraction.size());
}

std::string StampWriter::text(WallTime at) {
    std::string out;
    append(out, at);
    return out;
}

std::string http_date(WallTime at) {
    // strftime's names follow the C locale, which the daemon never changes.
    return formatted(std::chrono::system_clock::to_time_t(at), "%a, %d %b %Y %H:%M:%S GMT");
}

}  // namespace ollama_proxy::demo
