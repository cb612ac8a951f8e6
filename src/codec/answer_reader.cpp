#include "codec/answer_reader.hpp"

#include <array>

namespace ollama_proxy::codec {
namespace {

void set_count(std::optional<std::uint64_t>& slot, const JsonValue& value) {
    if (const auto count = value.as_count()) slot = count;
}

void set_milliseconds(std::optional<double>& slot, const JsonValue& nanoseconds) {
    if (const auto number = nanoseconds.as_number()) slot = *number / 1e6;
}

void read_usage(JsonCursor& cursor, AnswerPiece& piece) {
    each_member(cursor, [&](std::string_view key) {
        const JsonValue value = cursor.take();
        if (key == "prompt_tokens" || key == "input_tokens") {
            set_count(piece.prompt_tokens, value);
        } else if (key == "completion_tokens" || key == "output_tokens") {
            set_count(piece.completion_tokens, value);
        }
    });
}

void keep_first(JsonValue& slot, const JsonValue& value, JsonKind wanted) {
    if (value.kind == wanted && value.has_content() && !slot.has_content()) slot = value;
}

/// A member of a delta or message object that carries something of the model.
struct ContentMember {
    std::string_view name;
    JsonValue AnswerPiece::* slot;  ///< null: it is only noted that there was something
    JsonKind kind = JsonKind::string;
};
constexpr std::array kContentMembers{
    ContentMember{"content", &AnswerPiece::text},
    ContentMember{"refusal", &AnswerPiece::text},
    ContentMember{"thinking", &AnswerPiece::thinking},
    ContentMember{"reasoning_content", &AnswerPiece::thinking},
    ContentMember{"reasoning", &AnswerPiece::thinking},
    ContentMember{"tool_calls", &AnswerPiece::tool_calls, JsonKind::array},
    ContentMember{"text", nullptr},
    ContentMember{"partial_json", nullptr},
};

/// A delta or message object: any of its members with something in it is content.
void read_message(JsonCursor& cursor, AnswerPiece& piece) {
    each_member(cursor, [&](std::string_view key) {
        if (key == "usage") {
            read_usage(cursor, piece);  // message_start of /v1/messages
            return;
        }
        const JsonValue value = cursor.take();
        if (!value.has_content()) return;
        for (const ContentMember& member : kContentMembers) {
            if (key != member.name) continue;
            piece.content = true;
            if (member.slot != nullptr) keep_first(piece.*member.slot, value, member.kind);
        }
    });
}

void read_choices(JsonCursor& cursor, AnswerPiece& piece) {
    if (cursor.peek() != JsonKind::array) {
        cursor.take();
        return;
    }
    cursor.enter_array();
    while (cursor.next_element()) {
        each_member(cursor, [&](std::string_view key) {
            if (key == "delta" || key == "message") {
                read_message(cursor, piece);
                return;
            }
            const JsonValue value = cursor.take();
            if (key == "finish_reason") {
                piece.finish = piece.finish || value.kind == JsonKind::string;
                keep_first(piece.finish_reason, value, JsonKind::string);
            } else if (key == "text" && value.has_content()) {
                piece.content = true;
                keep_first(piece.text, value, JsonKind::string);
            }
        });
    }
}

/// "response" is text in /api/generate and an object in /v1/responses.
void read_response(JsonCursor& cursor, AnswerPiece& piece) {
    if (cursor.peek() == JsonKind::string) {
        const JsonValue value = cursor.take();
        if (value.has_content()) piece.content = true;
        keep_first(piece.text, value, JsonKind::string);
        return;
    }
    each_member(cursor, [&](std::string_view key) {
        if (key == "usage") {
            read_usage(cursor, piece);
            return;
        }
        const JsonValue value = cursor.take();
        if (key == "error" && !value.absent()) piece.error = value;
    });
}

/// "delta" and "message" are text in some events and objects in others.
void read_text_or_object(JsonCursor& cursor, AnswerPiece& piece, bool is_message) {
    if (cursor.peek() == JsonKind::object) {
        read_message(cursor, piece);
        return;
    }
    const JsonValue value = cursor.take();
    if (is_message) {
        piece.message = value;
    } else if (value.kind == JsonKind::string && value.has_content()) {
        piece.content = true;
    }
}

void read_plain_member(std::string_view key, const JsonValue& value, AnswerPiece& piece) {
    if (key == "type") {
        piece.type = value;
    } else if (key == "object") {
        piece.object = value;
    } else if (key == "error") {
        piece.error = value;
    } else if (key == "done") {
        piece.done = value.is_true();
    } else if (key == "thinking") {
        if (value.has_content()) piece.content = true;
        keep_first(piece.thinking, value, JsonKind::string);
    } else if (key == "done_reason") {
        keep_first(piece.finish_reason, value, JsonKind::string);
    } else if (key == "code" || key == "status") {
        if (value.kind == JsonKind::number || piece.code.absent()) piece.code = value;
    } else if (key == "prompt_eval_count" || key == "input_tokens") {
        set_count(piece.prompt_tokens, value);
    } else if (key == "eval_count") {
        set_count(piece.completion_tokens, value);
    } else if (key == "load_duration") {
        set_milliseconds(piece.load_ms, value);
    } else if (key == "eval_duration") {
        set_milliseconds(piece.eval_ms, value);
    }
}

/// A status as a number or as a string of digits; 0 if it is none of an error.
int error_status(const JsonValue& value) {
    std::optional<std::uint64_t> status = value.as_count();
    if (value.kind == JsonKind::string) {
        status = JsonValue{JsonKind::number, value.inside()}.as_count();
    }
    return status && *status >= 400 && *status <= 599 ? static_cast<int>(*status) : 0;
}

std::string shortened(std::string text) {
    constexpr std::size_t kLimit = 512;
    if (text.size() <= kLimit) return text;
    std::size_t size = kLimit;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    text.resize(size);
    return text;
}

std::string text_of(const JsonValue& value) {
    // Bounded before decoding: six bytes of escape give at least one byte of text.
    if (value.kind == JsonKind::string) return shortened(decode_json_string(value.inside()));
    return shortened(std::string(value.raw.substr(0, 600)));
}

}  // namespace

AnswerPiece read_answer_piece(std::string_view json) {
    AnswerPiece piece;
    JsonCursor cursor(json);
    each_member(cursor, [&](std::string_view key) {
        if (key == "choices") {
            read_choices(cursor, piece);
        } else if (key == "delta" || key == "message") {
            read_text_or_object(cursor, piece, key == "message");
        } else if (key == "response") {
            read_response(cursor, piece);
        } else if (key == "usage") {
            read_usage(cursor, piece);
        } else {
            read_plain_member(key, cursor.take(), piece);
        }
    });
    piece.fault = cursor.fault();
    if (piece.fault == JsonCursor::Fault::none && !cursor.at_end()) {
        piece.fault = JsonCursor::Fault::syntax;
    }
    return piece;
}

std::optional<PieceError> error_of(const AnswerPiece& piece, bool named_error) {
    const JsonValue& error = piece.error;
    const bool says_error = error.kind == JsonKind::object || error.kind == JsonKind::array ||
                            (error.kind == JsonKind::string && error.has_content());
    const bool is_error_event =
        named_error || piece.type_is("error") ||
        (piece.object.kind == JsonKind::string && piece.object.inside() == "error");
    if (!says_error && !is_error_event) return std::nullopt;

    PieceError found;
    found.status = error_status(piece.code);
    if (error.kind == JsonKind::object) {
        JsonValue message;
        JsonCursor cursor(error.raw);
        each_member(cursor, [&](std::string_view key) {
            const JsonValue value = cursor.take();
            if (key == "message") message = value;
            if (key == "code" || key == "status") {
                if (const int status = error_status(value)) found.status = status;
            }
        });
        found.message = text_of(message.absent() ? error : message);
    } else if (says_error) {
        found.message = text_of(error);
    } else if (piece.message.kind == JsonKind::string) {
        found.message = text_of(piece.message);
    }
    return found;
}

}  // namespace ollama_proxy::codec
