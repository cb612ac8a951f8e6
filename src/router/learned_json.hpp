#pragma once

#include "router/learned.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

// What was learned as a file's text. Moments are written as their age: the steady clock begins anew
// with the machine. Pure.

using LearnedStates = std::map<std::string, LearnedState>;  ///< by backend id

/// `wall_s`: now, in Unix seconds.
[[nodiscard]] std::string learned_to_json(const LearnedStates& states, TimePoint now,
                                          std::int64_t wall_s);

/// Nothing for a text that is not ours: damaged, of an unknown version, or with a number that
/// cannot be. A wall clock that went backwards meanwhile counts as no time at all.
[[nodiscard]] std::optional<LearnedStates> learned_from_json(std::string_view text, TimePoint now,
                                                             std::int64_t wall_s);

}  // namespace ollama_proxy::router
