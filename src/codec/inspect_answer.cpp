#include "codec/answer_facts.hpp"

#include <utility>

namespace ollama_proxy::codec {

void add_measures(AnswerFacts& facts, const AnswerPiece& piece) {
    if (piece.content) ++facts.content_events;
    if (piece.prompt_tokens) facts.prompt_tokens = piece.prompt_tokens;
    if (piece.completion_tokens) facts.completion_tokens = piece.completion_tokens;
    if (piece.load_ms) facts.load_ms = piece.load_ms;
    if (piece.eval_ms) facts.eval_ms = piece.eval_ms;
}

void add_error(AnswerFacts& facts, PieceError error) {
    if (facts.error) return;
    facts.error = true;
    facts.error_message = std::move(error.message);
    facts.error_status = error.status;
}

AnswerFacts inspect_answer(Api api, std::string_view body) {
    AnswerFacts facts;
    const AnswerPiece piece = read_answer_piece(body);
    if (piece.fault == JsonCursor::Fault::syntax) {
        add_error(facts, {"the answer is not JSON", 0});
        facts.first_is_error = true;
        facts.malformed = true;
        return facts;
    }
    add_measures(facts, piece);
    if (auto error = error_of(piece, false)) {
        add_error(facts, std::move(*error));
        facts.first_is_error = true;
    }
    switch (api) {
        case Api::chat_completions:
        case Api::completions:
            facts.finished = piece.finish;
            break;
        case Api::ollama_chat:
        case Api::ollama_generate:
            facts.finished = piece.done;
            break;
        default:
            facts.finished = !facts.error;  // a whole object is all there is to say
    }
    return facts;
}

}  // namespace ollama_proxy::codec
