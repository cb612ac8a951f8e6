#include "demo/job.hpp"

#include <array>
#include <charconv>

namespace ollama_proxy::demo {

namespace {

constexpr auto kForever = Clock::duration::max();
constexpr auto kDefault = std::chrono::minutes(5);

Clock::duration of_seconds(double seconds) {
    if (seconds < 0 || seconds > 1e9) return kForever;
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Seconds of "1h30m", "300ms", "5m"; a bare number counts as seconds.
double go_duration(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, double>, 6> kUnits = {
        {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"h", 3600}, {"m", 60}, {"s", 1}}};
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    double sum = 0;
    while (!text.empty()) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc()) return 300;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        double unit = 1;
        for (const auto& [name, seconds] : kUnits) {
            if (!text.starts_with(name)) continue;
            unit = seconds;
            text.remove_prefix(name.size());
            break;
        }
        sum += value * unit;
    }
    return negative ? -sum : sum;
}

}  // namespace

Clock::duration parse_keep_alive(const Json* value) {
    if (value == nullptr) return kDefault;
    if (value->is_number()) return of_seconds(value->get<double>());
    if (value->is_string()) return of_seconds(go_duration(value->get_ref<const std::string&>()));
    return kDefault;
}

}  // namespace ollama_proxy::demo
