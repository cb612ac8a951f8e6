#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::config {

/// Edits (insert, delete, replace one character) from `a` to `b`, case ignored (Levenshtein 1966).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// `; did you mean "X"?` for the nearest of `words`, or nothing when none is near.
[[nodiscard]] std::string did_you_mean(std::string_view given,
                                       const std::vector<std::string>& words);

}  // namespace ollama_proxy::config
