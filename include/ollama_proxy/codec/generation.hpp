#pragma once

#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::codec {

// What WebSocket and gRPC ask for, in no dialect, and the bodies that it becomes. Pure.

struct GenerationMessage {
    std::string role;  ///< system, user, assistant, tool
    std::string content;
    std::vector<std::string> images;  ///< base64, or `data:` URLs
};

struct GenerationOptions {
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<std::int64_t> top_k;
    std::optional<std::int64_t> max_tokens;
    std::optional<std::int64_t> seed;
    std::vector<std::string> stop;
};

/// A prompt or messages; the backend is always asked for a stream. Texts must be UTF-8.
struct GenerationRequest {
    std::string model;
    std::string prompt;  ///< used when there are no messages
    std::vector<GenerationMessage> messages;
    GenerationOptions options;
    std::string tools_json;  ///< a JSON array of tools, or empty
};

/// A body that the proxy writes itself, and the route that it is for.
struct WrittenBody {
    Api api = Api::chat_completions;
    std::string body;
    RequestScan scan;
};

/// For an Ollama backend: a prompt goes to `/api/generate`, messages (and whatever has tools) to
/// `/api/chat`; `max_tokens` becomes `num_predict`.
/// Errors: invalid_request with `param` naming the field.
[[nodiscard]] Result<WrittenBody> write_ollama_generation(const GenerationRequest& request);

/// For any OpenAI-compatible backend: `/v1/chat/completions` that asks for usage; a prompt becomes
/// one user message. Errors as above.
[[nodiscard]] Result<WrittenBody> write_openai_generation(const GenerationRequest& request);

struct EmbeddingsRequest {
    std::string model;
    std::vector<std::string> inputs;
};
/// `/api/embed`. Errors: invalid_request.
[[nodiscard]] Result<WrittenBody> write_ollama_embeddings(const EmbeddingsRequest& request);
/// `/v1/embeddings`. Errors: invalid_request.
[[nodiscard]] Result<WrittenBody> write_openai_embeddings(const EmbeddingsRequest& request);

/// The vectors of an answer to either, in the order of the inputs. Errors: bad_gateway when the
/// body is no such answer.
[[nodiscard]] Result<std::vector<std::vector<float>>> read_embeddings(std::string_view body);

}  // namespace ollama_proxy::codec
