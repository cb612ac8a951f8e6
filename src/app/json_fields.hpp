#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace ollama_proxy::app {

// What a daemon of another version says may lack a field or have another type: such a field is not
// known, never an error.

[[nodiscard]] inline const nlohmann::json& field(const nlohmann::json& object, const char* key) {
    static const nlohmann::json null;
    if (!object.is_object()) return null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
}

/// Empty when it is no string.
[[nodiscard]] inline std::string text_of(const nlohmann::json& object, const char* key) {
    const auto& value = field(object, key);
    return value.is_string() ? value.get<std::string>() : std::string();
}

[[nodiscard]] inline std::optional<double> number_of(const nlohmann::json& object,
                                                     const char* key) {
    const auto& value = field(object, key);
    if (!value.is_number()) return std::nullopt;
    return value.get<double>();
}

/// False when it is no boolean.
[[nodiscard]] inline bool flag_of(const nlohmann::json& object, const char* key) {
    const auto& value = field(object, key);
    return value.is_boolean() && value.get<bool>();
}

}  // namespace ollama_proxy::app
