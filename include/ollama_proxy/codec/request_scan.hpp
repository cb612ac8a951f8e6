#pragma once

#include "ollama_proxy/common/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

/// The inference routes: what the client speaks and what the backend must speak.
enum class Api {
    chat_completions,   ///< POST /v1/chat/completions
    completions,        ///< POST /v1/completions
    embeddings,         ///< POST /v1/embeddings
    responses,          ///< POST /v1/responses
    messages,           ///< POST /v1/messages
    count_tokens,       ///< POST /v1/messages/count_tokens
    ollama_chat,        ///< POST /api/chat
    ollama_generate,    ///< POST /api/generate
    ollama_embed,       ///< POST /api/embed
    ollama_embeddings,  ///< POST /api/embeddings
    ollama_show,        ///< POST /api/show
};

/// The path that both sides use for it, for example "/v1/chat/completions".
[[nodiscard]] std::string_view path_of(Api api);

/// Where the conversation stands in a body, as offsets: `[begin, end)` are the messages as the
/// client wrote them, without the brackets of their array. The next turn repeats these bytes.
struct Conversation {
    std::size_t begin = 0;  ///< first byte of the first message
    std::size_t end = 0;    ///< one past the last one; 0 = no messages
    /// One past the last message before the assistant's last turn: `end` of the request that this
    /// one goes on from. 0 = the assistant has not spoken yet.
    std::size_t before_answer = 0;
};

/// What the router must know of a request body; the body itself is never rebuilt.
struct RequestScan {
    std::string model;  ///< decoded; empty where the route does not need one
    std::size_t model_begin =
        0;  ///< offset in the body of the model's raw JSON string, quote included
    std::size_t model_end = 0;  ///< one past its closing quote; 0 = no model given
    bool stream = false;        ///< the answer will be a stream (Ollama chat/generate: the default)
    bool include_usage = false;  ///< stream_options.include_usage
    bool has_prompt = true;  ///< /api/generate: a prompt, or images; without, it loads or unloads
    bool keep_alive_zero = false;  ///< keep_alive given and zero: with no prompt this means unload
    Conversation conversation;     ///< of `messages`
};

/// Checks and scans the body of an inference request: JSON object in UTF-8, depth at most 64,
/// nothing after it, the fields that the route requires present with the right types (wire
/// contract, "Errors", row 1: the `/v1` routes require `model` and `messages` / `prompt` /
/// `input`; the Ollama routes `model` or the old `name`). A repeated key counts with its last
/// value, as backends read it; a model name has at most 512 bytes and no control characters.
/// Errors: invalid_request with `param` naming the field.
[[nodiscard]] Result<RequestScan> scan_request(Api api, std::string_view body);

/// `body` with the model's JSON string replaced by `model` (escaped); all other bytes unchanged.
[[nodiscard]] std::string replace_model(std::string_view body, const RequestScan& scan,
                                        std::string_view model);

}  // namespace ollama_proxy::codec
