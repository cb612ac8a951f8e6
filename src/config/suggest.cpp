#include "config/suggest.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>
#include <numeric>

namespace ollama_proxy::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced =
                diagonal + (ascii_lower(a[i]) != ascii_lower(b[j]) ? 1 : 0);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& words) {
    constexpr std::size_t kLongestKey = 64;  // the distance is quadratic, and no key is longer
    if (given.empty() || given.size() > kLongestKey) return {};
    const std::string* best = nullptr;
    std::size_t best_distance = std::max<std::size_t>(2, given.size() / 3) + 1;
    for (const std::string& word : words) {
        std::size_t distance = edit_distance(given, word);
        // "port" for "http_port" and "api_key" for "api_key_env" are far apart but clearly meant.
        const bool part = given.size() >= 4 && (word.starts_with(given) || word.ends_with(given));
        if (part) distance = std::min<std::size_t>(distance, 2);
        if (distance < best_distance && distance < word.size()) {
            best_distance = distance;
            best = &word;
        }
    }
    return best == nullptr ? std::string{} : "; did you mean \"" + *best + "\"?";
}

}  // namespace ollama_proxy::config
