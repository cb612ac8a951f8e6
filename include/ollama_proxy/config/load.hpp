#pragma once

#include "ollama_proxy/config/config.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ollama_proxy::config {

/// The environment as a value, so that loading depends on nothing hidden.
struct Environment {
    std::map<std::string, std::string> variables;

    /// A copy of this process's environment. Call before threads that could change it start.
    [[nodiscard]] static Environment from_process();

    /// nullopt when not set; an empty value is a value.
    [[nodiscard]] std::optional<std::string> get(std::string_view name) const;

    /// Variables that a flag of the command line has set: variable -> flag. Messages name the flag.
    std::map<std::string, std::string> flags{};
};

/// What becomes of the keys that `key_env`, `key_file` and `api_key_env` name.
enum class Secrets {
    needed,   ///< a missing one is an error where it would be used
    ignored,  ///< not looked up: a key then counts as there, but nothing matches it
};

/// One thing that is wrong. `line` and `column` count from 1, 0 = no place in a file
/// (an environment variable, a flag, a missing file).
struct Problem {
    std::string file;
    int line = 0;
    int column = 0;
    std::string key;   ///< path such as `backends[1].endpoint`; empty for syntax errors
    std::string text;  ///< what, allowed range, did you mean

    /// `file:line:column: key: text`, without the parts that are not known.
    [[nodiscard]] std::string to_string() const;
};

/// Either `config` or at least one problem, never both.
struct LoadResult {
    std::shared_ptr<const Config> config;
    std::vector<Problem> problems;      ///< everything that is wrong, in file order
    std::vector<std::string> warnings;  ///< worth a log line, does not stop the start

    [[nodiscard]] explicit operator bool() const { return config != nullptr; }
};

/// Reads, checks and completes a YAML file. Blocks on the file system; throws only bad_alloc.
[[nodiscard]] LoadResult load_file(const std::filesystem::path& path,
                                   const Environment& environment,
                                   Secrets secrets = Secrets::needed);

/// The same for text; `filename` is only for messages. Key files are still read from disk.
[[nodiscard]] LoadResult load_text(std::string_view yaml, const std::string& filename,
                                   const Environment& environment,
                                   Secrets secrets = Secrets::needed);

/// The built-in defaults with the environment's overrides; `discover_local` is true.
[[nodiscard]] LoadResult load_default(const Environment& environment);

/// `$OLLAMA_PROXY_CONFIG` (even if missing: then loading says so), else the first that exists of
/// `$XDG_CONFIG_HOME/ollama-proxy/config.yaml` (or under `$HOME/.config`),
/// `/etc/ollama-proxy/config.yaml`, `cwd/config/config.yaml`.
[[nodiscard]] std::optional<std::filesystem::path> find_config_file(
    const Environment& environment, const std::filesystem::path& cwd);

/// One key of the parser's table, for the schema test and for documentation.
struct KeyInfo {
    std::string path;  ///< `server.limits.body_bytes`, `backends[].endpoint`, `router.aliases.*`
    std::string
        type;  ///< integer, number, boolean, string, enum, strings, string_map, section, list
    std::optional<double> minimum;
    std::optional<double> maximum;
    std::vector<std::string> words;  ///< of an enum
};

/// Every key that a file may contain, aliases left out.
[[nodiscard]] std::vector<KeyInfo> known_keys();

}  // namespace ollama_proxy::config
