#pragma once

#include "codec/json_cursor.hpp"

#include <string_view>

namespace ollama_proxy::codec {

/// The texts of one JSON object of an answer, whichever of the four dialects it is written in:
/// their members do not collide. Views into the object's text.
struct DeltaTexts {
    JsonValue text;
    JsonValue thinking;
    JsonValue tool_calls;
    JsonValue finish_reason;
};

/// Reads an object that is known to be JSON (`read_answer_piece` found no fault).
[[nodiscard]] DeltaTexts read_delta_texts(std::string_view json);

}  // namespace ollama_proxy::codec
