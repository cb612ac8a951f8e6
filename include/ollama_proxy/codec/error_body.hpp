#pragma once

#include "ollama_proxy/codec/request_scan.hpp"
#include "ollama_proxy/common/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

/// Whose error shape the client understands.
enum class ErrorDialect {
    openai,     ///< {"error":{"message","type","param","code"}}
    anthropic,  ///< {"type":"error","error":{"type","message"}}
    ollama,     ///< {"error":"..."}
};

[[nodiscard]] ErrorDialect error_dialect_of(Api api);

/// From the path's prefix: /v1/messages -> anthropic, /api/ -> ollama, else openai.
[[nodiscard]] ErrorDialect error_dialect_of(std::string_view path);

/// The `code` of the wire contract, for example "model_not_found".
[[nodiscard]] std::string_view code_name(Errc code);

/// HTTP status of an error that the proxy itself makes.
[[nodiscard]] int status_of(Errc code);

/// OpenAI's `type` for a status: invalid_request_error, authentication_error, ...
[[nodiscard]] std::string_view openai_error_type(int status);
/// Anthropic's names: invalid_request_error, not_found_error, overloaded_error, api_error, ...
[[nodiscard]] std::string_view anthropic_error_type(int status);

/// The JSON body of an error reply. `param` becomes null when empty. Text is escaped; bytes that
/// are no UTF-8 are replaced.
[[nodiscard]] std::string error_body(ErrorDialect dialect, const Error& error);

/// The event that ends a broken stream: one `data: {...}` (openai), one NDJSON line (ollama),
/// `event: error` (anthropic), terminated so that it can follow a whole event.
[[nodiscard]] std::string error_event(ErrorDialect dialect, const Error& error);

/// The same with a backend's own error body, on one line. Nothing when `body` is no error of the
/// dialect.
[[nodiscard]] std::optional<std::string> error_event_of(ErrorDialect dialect,
                                                        std::string_view body);

}  // namespace ollama_proxy::codec
