#include "codec/answer_reader.hpp"

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

/// A delta or message object: any of its members with something in it is text of the model.
void read_text(JsonCursor& cursor, AnswerPiece& piece) {
    each_member(cursor, [&](std::string_view key) {
        if (key == "usage") {
            read_usage(cursor, piece);  // message_start of /v1/messages
            return;
        }
        const JsonValue value = cursor.take();
        const bool carries = key == "content" || key == "reasoning_content" || key == "reasoning" ||
                             key == "thinking" || key == "text" || key == "partial_json" ||
                             key == "refusal" || key == "tool_calls";
        if (carries && value.has_content()) piece.text = true;
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
                read_text(cursor, piece);
                return;
            }
            const JsonValue value = cursor.take();
            if (key == "finish_reason" && value.kind == JsonKind::string) piece.finish = true;
            if (key == "text" && value.has_content()) piece.text = true;
        });
    }
}

/// "response" is text in /api/generate and an object in /v1/responses.
void read_response(JsonCursor& cursor, AnswerPiece& piece) {
    if (cursor.peek() == JsonKind::string) {
        if (cursor.take().has_content()) piece.text = true;
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
        read_text(cursor, piece);
        return;
    }
    const JsonValue value = cursor.take();
    if (is_message) {
        piece.message = value;
    } else if (value.kind == JsonKind::string && value.has_content()) {
        piece.text = true;
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
        if (value.has_content()) piece.text = true;
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
