#pragma once

#include "ollama_proxy/upstream/catalog.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What backends answer about their models. Pure; a hostile body gives nullopt, never an
/// exception, unbounded recursion or more than `kMaxModels` entries. Entries without a usable name
/// are left out, of equal names the first counts.
namespace ollama_proxy::upstream {

inline constexpr std::size_t kMaxModels = 10'000;
inline constexpr std::size_t kMaxModelName = 512;

/// `/api/tags`: `{"models":[{"name","size","modified_at",...}]}`.
[[nodiscard]] std::optional<std::vector<Model>> parse_tags(std::string_view body);
/// `/api/ps`: `{"models":[{"name",...}]}`.
[[nodiscard]] std::optional<std::vector<LoadedModel>> parse_ps(std::string_view body);
/// `/v1/models`: `{"data":[{"id","created","owned_by",...}]}`.
[[nodiscard]] std::optional<std::vector<Model>> parse_openai_models(std::string_view body);
/// `/api/version`: `{"version":"0.5.1"}`.
[[nodiscard]] std::optional<std::string> parse_version(std::string_view body);

/// `2024-05-01T12:34:56.789-07:00` as unix seconds; nullopt when it is not RFC 3339.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace ollama_proxy::upstream
