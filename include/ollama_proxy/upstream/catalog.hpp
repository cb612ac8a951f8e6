#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/config/words.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::upstream {

/// How names compare. ollama: lower case, `:latest` when there is no tag (a colon before the last
/// slash belongs to a registry's port); openai: as it is.
[[nodiscard]] std::string model_key(config::BackendType type, std::string_view name);

/// A model that a backend can serve.
struct Model {
    std::string name;  ///< as the backend spells it
    std::string key;   ///< for comparing: lower case and with a tag (ollama), as it is (openai)
    std::optional<std::uint64_t> size_bytes;
    std::int64_t created = 0;  ///< unix seconds, 0 = not said
    std::string owned_by;
    std::string json;  ///< the backend's own entry of /api/tags or /v1/models
};

/// A model that is in the backend's memory now (`/api/ps`).
struct LoadedModel {
    std::string name;
    std::string key;
    std::string json;
    std::optional<std::uint64_t> size_bytes{};  ///< what it takes there, its cache included
    /// The last time that the backend said what is loaded and this was not: what was cached before
    /// is gone. TimePoint{} when that was never seen.
    TimePoint missed_at{};
};

/// One backend's models at one moment; immutable once published.
struct Catalog {
    bool known = false;  ///< false until the backend has answered once
    TimePoint fetched{};
    std::vector<Model> models;
    std::vector<LoadedModel> loaded;
    TimePoint loaded_asked{};  ///< when the backend was asked for `loaded`
    std::string version;       ///< of the server (ollama), else empty

    /// By key (see `model_key`), or nullptr.
    [[nodiscard]] const Model* find(std::string_view key) const;
    [[nodiscard]] bool is_loaded(std::string_view key) const { return find_loaded(key) != nullptr; }
    [[nodiscard]] const LoadedModel* find_loaded(std::string_view key) const;
    /// `loaded` and `loaded_asked` are newer than in `former`: notes what was not there before.
    void note_missed(const Catalog& former);
};

}  // namespace ollama_proxy::upstream
