#pragma once

#include "http/reply.hpp"
#include "ollama_proxy/router/status_view.hpp"

#include <string_view>

namespace ollama_proxy::http {

// The JSON of the status and listing routes (wire contract, sections 1 and 5). Pure.

[[nodiscard]] Reply health_reply(const router::StatusView& view);
[[nodiscard]] Reply ready_reply(const router::StatusView& view);
[[nodiscard]] Reply backends_reply(const router::StatusView& view);
[[nodiscard]] Reply models_reply(const router::ModelsView& view);
/// One model by id (percent-decoded by the caller); 404 in the OpenAI dialect when there is none.
[[nodiscard]] Reply model_reply(const router::ModelsView& view, std::string_view id);
[[nodiscard]] Reply tags_reply(const router::ModelsView& view);
[[nodiscard]] Reply running_reply(const router::ModelsView& view);
[[nodiscard]] Reply version_reply(const router::ModelsView& view);

/// `%3A` -> `:`; a malformed escape stays as it is.
[[nodiscard]] std::string percent_decode(std::string_view text);

}  // namespace ollama_proxy::http
