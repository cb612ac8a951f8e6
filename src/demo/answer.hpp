#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::demo {

/// A deterministic answer, cut into tokens. It begins by naming the server and the prompt, so
/// that a mixed-up stream shows, and goes on with filler that is never stored per stream.
class Answer {
  public:
    Answer() = default;

    /// `natural` tokens of text, cut to `limit` when that is above 0 and lower.
    static Answer words(std::string_view server, std::string_view prompt, int natural, int limit);
    /// Exactly `text` in tokens of a few bytes, cut to `limit` tokens when that is above 0.
    static Answer exact(std::string text, int limit);

    [[nodiscard]] int size() const { return size_; }
    /// Token `i` of `size()`; valid while this lives.
    [[nodiscard]] std::string_view piece(int i) const;
    [[nodiscard]] std::string text() const;
    /// True when the limit of the request ended it, not its own end.
    [[nodiscard]] bool cut_short() const { return cut_short_; }

  private:
    std::string head_;                 ///< what is stored
    std::vector<std::uint32_t> ends_;  ///< end of each stored token in head_
    int size_ = 0;
    bool cut_short_ = false;
};

/// Stable 64-bit hash (FNV-1a).
[[nodiscard]] std::uint64_t stable_hash(std::string_view text);
/// A unit vector that depends on `text` alone.
[[nodiscard]] std::vector<float> embedding_of(std::string_view text, std::size_t dimensions);
/// The vector's little-endian bytes as base64, the form in which the OpenAI SDKs ask for it.
[[nodiscard]] std::string base64_of(const std::vector<float>& vector);
/// Tokens that a prompt of this size stands for.
[[nodiscard]] int estimated_tokens(std::size_t bytes);

}  // namespace ollama_proxy::demo
