#pragma once

#include "config/table.hpp"
#include "ollama_proxy/config/config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::config {

/// A key as the file has it, before its secret is looked up.
struct ApiKeyDraft {
    std::string name;
    std::string key_env;
    std::string key_file;
    std::string key_sha256;
    Permissions permissions{true, true, false};  ///< without a list: use and read, not change
};

[[nodiscard]] Table<ApiKeyDraft> api_key_table();

/// Looks every secret up and keeps its hash. A secret that is not there is an error while `auth` is
/// enabled, else a warning. With `Secrets::ignored` each hash is zeros.
void resolve_api_keys(Reader& reader, const std::string& key,
                      const std::vector<ApiKeyDraft>& drafts, Auth& auth);

[[nodiscard]] std::array<unsigned char, 32> sha256(std::string_view text);

}  // namespace ollama_proxy::config
