#pragma once

#include "demo/answer.hpp"
#include "demo/json.hpp"
#include "demo/reply.hpp"
#include "demo/state.hpp"
#include "ollama_proxy/common/clock.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ollama_proxy::demo {

/// The inference routes.
enum class Dialect {
    ollama_chat,
    ollama_generate,
    ollama_embed,
    ollama_embeddings,
    chat_completions,
    completions,
    embeddings,
    responses,
    messages,
};

[[nodiscard]] Family family_of(Dialect dialect);

struct ToolCall {
    std::string name;
    Json arguments;
};

/// What an inference request asks for, independent of its dialect.
struct Job {
    Dialect dialect = Dialect::ollama_chat;
    std::string model;  ///< as the client wrote it: answers echo it
    bool stream = false;
    bool include_usage = false;
    bool load_only = false;  ///< no prompt: load the model, or unload it
    Clock::duration keep_alive{};
    int prompt_tokens = 0;
    Answer answer;
    std::optional<ToolCall> tool;     ///< called instead of answering
    std::vector<std::string> inputs;  ///< embeddings
    std::size_t dimensions = 256;
    bool base64 = false;

    [[nodiscard]] bool is_embedding() const { return !inputs.empty(); }
    /// Pieces that are generated one after the other.
    [[nodiscard]] int pieces() const { return is_embedding() ? 0 : tool ? 1 : answer.size(); }
};

/// Reads a request body, or says how it is refused. Does not look whether the model exists.
[[nodiscard]] std::variant<Job, Reply> parse_job(Dialect dialect, const State& state,
                                                 const std::string& body);

/// Ollama's `keep_alive`: seconds, or a Go duration; negative is for ever (Clock::duration::max).
[[nodiscard]] Clock::duration parse_keep_alive(const Json* value);

/// The tool that an answer to `prompt` must call: the one that `tool_choice` requires, or one
/// that the prompt names.
[[nodiscard]] std::optional<ToolCall> choose_tool(const Json& request, const std::string& prompt);

/// Text of a message's content: a string, or the text parts of an array.
[[nodiscard]] std::string content_text(const Json* content);

}  // namespace ollama_proxy::demo
