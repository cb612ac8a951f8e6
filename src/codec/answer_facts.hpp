#pragma once

#include "codec/answer_reader.hpp"
#include "ollama_proxy/codec/stream_watcher.hpp"

namespace ollama_proxy::codec {

/// Adds the counts and durations of a piece; what it does not name stays as it was.
void add_measures(AnswerFacts& facts, const AnswerPiece& piece);

/// Notes an error; the first one of an answer is the one that is kept.
void add_error(AnswerFacts& facts, PieceError error);

}  // namespace ollama_proxy::codec
