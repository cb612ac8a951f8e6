#pragma once

#include "ollama_proxy/common/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

/// `text`, or where it is no UTF-8 a copy with each broken part replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string text);

/// Appends `text`, which must be UTF-8, as a JSON string with its quotes. For what is written per
/// token; everything else goes through a JSON library.
void append_json_string(std::string& out, std::string_view text);

/// Refuses what is no JSON object in UTF-8, nested at most 64 deep: invalid_request. `what` names
/// the text in the message, for example "the message".
[[nodiscard]] std::optional<Error> check_json_object(std::string_view text, std::string_view what);

}  // namespace ollama_proxy::codec
