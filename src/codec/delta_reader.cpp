#include "codec/delta_reader.hpp"

namespace ollama_proxy::codec {
namespace {

/// Keeps the first string with something in it: some servers send the same reasoning under two
/// names, and an empty `content` beside a `refusal`.
void keep_text(JsonValue& slot, const JsonValue& value) {
    if (value.kind == JsonKind::string && value.has_content() && !slot.has_content()) slot = value;
}

/// A `delta` or a `message`.
void read_message(JsonCursor& cursor, DeltaTexts& texts) {
    each_member(cursor, [&](std::string_view key) {
        const JsonValue value = cursor.take();
        if (key == "content" || key == "refusal") {
            keep_text(texts.text, value);
        } else if (key == "thinking" || key == "reasoning_content" || key == "reasoning") {
            keep_text(texts.thinking, value);
        } else if (key == "tool_calls" && value.kind == JsonKind::array && value.has_content()) {
            texts.tool_calls = value;
        }
    });
}

void read_choices(JsonCursor& cursor, DeltaTexts& texts) {
    if (cursor.peek() != JsonKind::array) {
        cursor.take();
        return;
    }
    cursor.enter_array();
    while (cursor.next_element()) {
        each_member(cursor, [&](std::string_view key) {
            if (key == "delta" || key == "message") {
                read_message(cursor, texts);
                return;
            }
            const JsonValue value = cursor.take();
            if (key == "text") keep_text(texts.text, value);
            if (key == "finish_reason") keep_text(texts.finish_reason, value);
        });
    }
}

}  // namespace

DeltaTexts read_delta_texts(std::string_view json) {
    DeltaTexts texts;
    JsonCursor cursor(json);
    each_member(cursor, [&](std::string_view key) {
        if (key == "choices") {
            read_choices(cursor, texts);
        } else if (key == "message") {
            read_message(cursor, texts);
        } else {
            const JsonValue value = cursor.take();
            if (key == "response") keep_text(texts.text, value);
            if (key == "thinking") keep_text(texts.thinking, value);
            if (key == "done_reason") keep_text(texts.finish_reason, value);
        }
    });
    return texts;
}

}  // namespace ollama_proxy::codec
