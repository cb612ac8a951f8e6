#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::demo {

/// What the simulator writes: keys in the order in which a real server writes them.
using Json = nlohmann::ordered_json;

/// Member of an object, or nullptr when it is missing, null, or `object` is no object.
[[nodiscard]] const Json* find(const Json& object, std::string_view key);
/// String member, or empty.
[[nodiscard]] std::string string_at(const Json& object, std::string_view key);
/// Boolean member, or `otherwise`.
[[nodiscard]] bool bool_at(const Json& object, std::string_view key, bool otherwise);
/// Number member as an integer, or nothing.
[[nodiscard]] std::optional<std::int64_t> int_at(const Json& object, std::string_view key);

/// Appends `text` (UTF-8) as the inside of a JSON string.
void append_escaped(std::string& out, std::string_view text);
/// Appends `text` as a JSON string, quotes included.
void append_quoted(std::string& out, std::string_view text);

/// An instance that satisfies a JSON schema well enough for a demonstration: strings are `text`,
/// enums their first value, every listed property is present. Depth is bounded.
[[nodiscard]] Json instance_of(const Json& schema, const std::string& text, int depth = 8);

}  // namespace ollama_proxy::demo
