#include "config/api_key.hpp"

#include "config/rows.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <sys/stat.h>

namespace ollama_proxy::config {
namespace {

constexpr std::size_t kLongestSecret = 4096;

Field<ApiKeyDraft> permissions_field() {
    const std::vector<std::string> words{"inference", "read", "admin"};
    Field<ApiKeyDraft> field{"permissions", {{}, "words", {}, {}, words}, {}};
    field.read = [words](Reader& reader, const Node* node, const std::string& key,
                         ApiKeyDraft& draft) {
        const auto given = reader.strings(*node, key);
        if (!given) return;
        draft.permissions = {};
        for (std::size_t i = 0; i < given->size(); ++i) {
            const std::string& item = (*given)[i];
            if (item == "inference") {
                draft.permissions.inference = true;
            } else if (item == "read") {
                draft.permissions.read = true;
            } else if (item == "admin") {
                draft.permissions.admin = true;
            } else {
                reader.not_a_word(*node->items[i], key + "[" + std::to_string(i) + "]", words);
            }
        }
    };
    return field;
}

std::optional<std::array<unsigned char, 32>> from_hex(std::string_view hex) {
    std::array<unsigned char, 32> bytes{};
    if (hex.size() != 2 * bytes.size()) return std::nullopt;
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int high = digit(hex[2 * i]);
        const int low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return bytes;
}

/// The file's text without the line end that editors add; nullopt when it cannot be read.
std::optional<std::string> read_secret(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string secret;
    for (char c = 0; secret.size() <= kLongestSecret && file.get(c);) secret.push_back(c);
    if (file.bad() || secret.size() > kLongestSecret) return std::nullopt;
    while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
    return secret;
}

bool others_can_read(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

/// The hash of one key's secret, or nullopt after saying what is missing.
std::optional<std::array<unsigned char, 32>> find_hash(Reader& reader, const std::string& key,
                                                       const ApiKeyDraft& draft, bool enabled) {
    if (!draft.key_sha256.empty()) {
        auto hash = from_hex(draft.key_sha256);
        if (!hash) {
            reader.problem(key + ".key_sha256", "expected 64 hexadecimal digits, found " +
                                                    std::to_string(draft.key_sha256.size()) +
                                                    " characters");
        }
        return hash;
    }
    // The key must still count: with none, an address that is open to the network is refused.
    if (reader.secrets == Secrets::ignored) return std::array<unsigned char, 32>{};
    const bool from_file = !draft.key_file.empty();
    const std::string source = from_file ? ".key_file" : ".key_env";
    std::optional<std::string> secret;
    std::string missing;
    if (from_file) {
        secret = read_secret(draft.key_file);
        missing = "the file " + draft.key_file + " cannot be read";
        if (secret && others_can_read(draft.key_file)) {
            reader.warn(draft.key_file + " holds an API key and can be read by other users");
        }
    } else {
        secret = reader.environment.get(draft.key_env);
        missing = "the environment variable " + draft.key_env + " is not set";
    }
    if (secret && !secret->empty()) return sha256(*secret);
    if (secret) missing = "the secret is empty";
    if (enabled) {
        reader.problem(key + source, missing);
    } else {
        reader.warn(key + source + ": " + missing + "; ignored, server.auth.enabled is false");
    }
    return std::nullopt;
}

}  // namespace

Table<ApiKeyDraft> api_key_table() {
    return {text("name", &ApiKeyDraft::name), text("key_env", &ApiKeyDraft::key_env),
            text("key_file", &ApiKeyDraft::key_file), text("key_sha256", &ApiKeyDraft::key_sha256),
            permissions_field()};
}

void resolve_api_keys(Reader& reader, const std::string& key,
                      const std::vector<ApiKeyDraft>& drafts, Auth& auth) {
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        const ApiKeyDraft& draft = drafts[i];
        const std::string item_key = key + "[" + std::to_string(i) + "]";
        if (!draft.key_env.empty()) reader.referenced_variables.insert(draft.key_env);
        const std::string name = draft.name.empty() ? "key-" + std::to_string(i + 1) : draft.name;
        if (std::any_of(auth.api_keys.begin(), auth.api_keys.end(),
                        [&](const ApiKey& other) { return other.name == name; })) {
            reader.problem(item_key + ".name", "\"" + name + "\" names an earlier key already");
            continue;
        }
        const int sources = (draft.key_env.empty() ? 0 : 1) + (draft.key_file.empty() ? 0 : 1) +
                            (draft.key_sha256.empty() ? 0 : 1);
        if (sources != 1) {
            reader.problem(item_key, sources == 0
                                         ? "needs one of key_env, key_file, key_sha256"
                                         : "needs only one of key_env, key_file, key_sha256");
            continue;
        }
        if (const auto hash = find_hash(reader, item_key, draft, auth.enabled)) {
            auth.api_keys.push_back({name, *hash, draft.permissions});
        }
    }
}

std::array<unsigned char, 32> sha256(std::string_view text) {
    std::array<unsigned char, 32> hash{};
    unsigned int size = 0;
    EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr);
    return hash;
}

}  // namespace ollama_proxy::config
