#pragma once

#include "ollama_proxy/config/backend.hpp"
#include "ollama_proxy/router/decision.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

// Model names as backends read them. `ollama`: case does not matter and a missing tag means
// `:latest`; `openai`: the exact text. All pure; only `canonical_model` allocates.

/// `*` any run of characters (none too), `?` exactly one. Linear in practice, quadratic at worst.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text,
                              bool ignore_case = false);

/// The one spelling under which a catalog keeps a model: for ollama lower case with its tag.
[[nodiscard]] std::string canonical_model(config::BackendType type, std::string_view model);

/// Both names mean the same model.
[[nodiscard]] bool same_model(config::BackendType type, std::string_view a, std::string_view b);

/// A pattern of the configuration covers the model. For ollama `:latest` may be written or left
/// out on either side: `llama3` covers `llama3:latest`, `*:latest` covers `llama3`.
[[nodiscard]] bool pattern_covers(config::BackendType type, std::string_view pattern,
                                  std::string_view model);

/// What catalogs say of one model on one backend.
struct ModelKnowledge {
    bool catalog_known = false;     ///< this backend has told what it has
    bool listed = false;            ///< and the model is there
    bool listed_elsewhere = false;  ///< another backend's catalog lists it
    std::optional<std::uint64_t> size_bytes;
};

/// Whether a backend has or may load `model` (empty = the request names none): model_missing,
/// model_pattern, model_size or none. Patterns and size also hold for listed models. A model that
/// no catalog lists may go where the patterns allow it while the backend's catalog is not known.
[[nodiscard]] Refusal model_refusal(config::BackendType type,
                                    const config::ModelCapability& capability,
                                    std::string_view model, const ModelKnowledge& knowledge);

}  // namespace ollama_proxy::router
