#pragma once

#include "ollama_proxy/config/load.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ollama_proxy::app {

enum class Command {
    serve,  ///< run the daemon; what a command line without a command means
    check_config,
    status,
    mode,
    backends,
    models,
    explain,
};

/// The command line as values. What is not given is empty: the configuration decides then.
struct Options {
    Command command = Command::serve;

    // serve; check_config and the client commands use `config` too (clients for their default URL)
    std::optional<std::string> config;  ///< file
    std::optional<std::uint16_t> http_port;
    std::optional<std::uint16_t> grpc_port;
    std::optional<std::string> host;
    std::optional<config::LogLevel> log_level;
    bool demo = false;

    // client commands
    std::optional<std::string> url;  ///< http[s]://host:port of the running daemon
    bool json = false;               ///< status
    std::optional<config::Mode> new_mode;
    std::string model;                                         ///< explain
    std::vector<std::pair<std::string, std::string>> headers;  ///< explain
};

/// Stop now with this text: help and version on stdout with 0, usage errors on stderr with 2.
struct Exit {
    int code = 0;
    std::string text;
    bool to_stderr = false;
};

/// Parses `argv` without its first element (the program's name). Never exits, never prints.
[[nodiscard]] std::variant<Options, Exit> parse_options(const std::vector<std::string>& arguments);

/// Puts the flags of `serve` over the environment's overrides, so that one validation sees what
/// will be used: `--host 0.0.0.0` without keys is refused like the same line in the file.
void apply_flags(const Options& options, config::Environment& environment);

/// "ollama-proxy 0.1.0 (commit abcdef)".
[[nodiscard]] std::string version_text();

}  // namespace ollama_proxy::app
