#pragma once

#include "codec/json_cursor.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

/// What one JSON object of an answer says, in whichever dialect it is written: their members do
/// not collide, so one pass reads them all: the relay's watcher and the decoder of WebSocket and
/// gRPC read through it. Views into the object's text.
struct AnswerPiece {
    JsonCursor::Fault fault = JsonCursor::Fault::none;
    bool content = false;  ///< carries text, reasoning or a piece of a tool call
    bool finish = false;   ///< a finish_reason of a choice
    bool done = false;     ///< "done":true
    // Of each the first with something in it: some servers send the same reasoning under two names,
    // and an empty `content` beside a `refusal`.
    JsonValue text;           ///< what the model says, a string
    JsonValue thinking;       ///< its reasoning, a string
    JsonValue tool_calls;     ///< an array
    JsonValue finish_reason;  ///< a finish_reason or Ollama's done_reason, a string
    JsonValue type;           ///< "type", names the event in /v1/responses and /v1/messages
    JsonValue object;         ///< "object"
    JsonValue message;        ///< "message", where it is a string
    JsonValue error;          ///< "error", of the object or of its "response"
    JsonValue code;           ///< "code" or "status", where it is a number or a string
    std::optional<std::uint64_t> prompt_tokens;
    std::optional<std::uint64_t> completion_tokens;
    std::optional<double> load_ms;
    std::optional<double> eval_ms;

    [[nodiscard]] bool type_is(std::string_view name) const {
        return type.kind == JsonKind::string && type.inside() == name;
    }
};

/// Reads a whole JSON value; `fault` says whether it is one.
[[nodiscard]] AnswerPiece read_answer_piece(std::string_view json);

/// The error that a piece carries in place of an answer.
struct PieceError {
    std::string message;  ///< at most 512 bytes, cut between characters
    int status = 0;       ///< 400..599, or 0
};
/// `named_error`: the event itself was called an error (`event: error`).
[[nodiscard]] std::optional<PieceError> error_of(const AnswerPiece& piece, bool named_error);

}  // namespace ollama_proxy::codec
