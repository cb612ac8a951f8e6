#include "app/options.hpp"

#include "ollama_proxy/common/ascii.hpp"
#include "version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace ollama_proxy::app {
namespace {

constexpr int kUsageError = 2;

/// What CLI11 fills in: words and headers are text until everything else is known to be right.
struct Raw {
    Options options;
    std::string log_level;
    std::string mode;
    std::vector<std::string> headers;
};

// A string's emptiness is checked by CLI11 as a word of the command line; these return the
// complaint.

std::string check_log_level(const std::string& text) {
    if (config::parse_log_level(text)) return {};
    return "expected one of trace, debug, info, warn, error, off, found \"" + text + "\"";
}

std::string check_mode(const std::string& text) {
    if (config::parse_mode(text)) return {};
    return "expected one of Performance, Balanced, Efficiency, Quiet, Auto, UltraEfficiency, found "
           "\"" +
           text + "\"";
}

std::string check_header(const std::string& text) {
    const auto colon = text.find(':');
    const bool named = colon != std::string::npos && !trim(text.substr(0, colon)).empty();
    const bool plain = std::none_of(text.begin(), text.end(), [](unsigned char c) {
        return (c < 0x20 && c != '\t') || c == 0x7f;
    });
    if (named && plain) return {};
    return "expected 'Name: value', found \"" + text + "\"";
}

std::string check_url(const std::string& text) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (text.size() > scheme.size() && text.starts_with(scheme)) return {};
    }
    return "expected http://host:port, found \"" + text + "\"";
}

std::string check_not_empty(const std::string& text) {
    return text.empty() ? "expected a value, found nothing" : "";
}

std::pair<std::string, std::string> split_header(const std::string& text) {
    const auto colon = text.find(':');
    return {std::string(trim(std::string_view(text).substr(0, colon))),
            std::string(trim(std::string_view(text).substr(colon + 1)))};
}

void add_serve_options(CLI::App& app, Raw& raw) {
    app.add_option("--config", raw.options.config, "Configuration file")
        ->type_name("FILE")
        ->check(check_not_empty);
    // Typed as a wide number, so that 70000 is out of range instead of wrapped.
    const auto port = [&app](const char* name, std::optional<std::uint16_t>& target,
                             const char* help) {
        app.add_option_function<std::uint32_t>(
               name,
               [&target](const std::uint32_t& value) {
                   target = static_cast<std::uint16_t>(value);
               },
               help)
            ->type_name("N")
            ->check(CLI::Range(0, 65535));
    };
    port("--http-port", raw.options.http_port, "Port of the HTTP API; 0 = any free port");
    port("--grpc-port", raw.options.grpc_port, "Port of the gRPC API; 0 = any free port");
    app.add_option("--host", raw.options.host, "Address to listen on")
        ->type_name("ADDRESS")
        ->check(check_not_empty);
    app.add_option("--log-level", raw.log_level, "trace, debug, info, warn, error or off")
        ->type_name("LEVEL")
        ->check(check_log_level);
    app.add_flag("--demo", raw.options.demo, "Serve from four simulated Ollama servers");
}

void add_client_options(CLI::App& app, Raw& raw) {
    app.add_option("--url", raw.options.url, "Running daemon; default from the configuration")
        ->type_name("URL")
        ->check(check_url);
    app.add_option("--config", raw.options.config, "Configuration file to take the URL from")
        ->type_name("FILE")
        ->check(check_not_empty);
}

struct Commands {
    explicit Commands(Raw& raw)
        : app("Power-aware router for local language model servers", "ollama-proxy") {
        app.set_help_flag();
        app.set_version_flag();
        app.add_flag("-h,--help", help, "Show help of every command");
        app.add_flag("--version", version, "Show the version with its commit");
        app.require_subcommand(0, 1);
        add_serve_options(app, raw);

        serve = add("serve", "Run the daemon in the foreground (the default)");
        add_serve_options(*serve, raw);

        check_config = add("check-config", "Check a configuration file and show every error");
        check_config
            ->add_option("file", raw.options.config, "Default: the file that serve would use")
            ->type_name("FILE")
            ->check(check_not_empty);
        check_config->add_option("--config", raw.options.config, "The same")->type_name("FILE");

        status = add("status", "Mode, backends, queue, heat and battery of the running daemon");
        status->add_flag("--json", raw.options.json, "As JSON");
        add_client_options(*status, raw);

        mode = add("mode", "Show the efficiency mode, or set it");
        mode->add_option("name", raw.mode,
                         "Performance, Balanced, Efficiency, Quiet, Auto or UltraEfficiency")
            ->type_name("NAME")
            ->check(check_mode);
        add_client_options(*mode, raw);

        backends = add("backends", "Backends of the running daemon");
        add_client_options(*backends, raw);

        models = add("models", "Models that the running daemon can serve");
        add_client_options(*models, raw);

        explain = add("explain", "Where a request for a model would go, and why");
        explain->add_option("model", raw.options.model, "Name of the model")
            ->type_name("MODEL")
            ->required()
            ->check(check_not_empty);
        explain->add_option("--header", raw.headers, "Request header, may be repeated")
            ->type_name("'K: V'")
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->check(check_header);
        add_client_options(*explain, raw);
    }

    CLI::App* add(const char* name, const char* description) {
        CLI::App* command = app.add_subcommand(name, description);
        command->set_help_flag();
        command->add_flag("-h,--help", help, "Show this help");
        return command;
    }

    [[nodiscard]] Command chosen() const {
        if (check_config->parsed()) return Command::check_config;
        if (status->parsed()) return Command::status;
        if (mode->parsed()) return Command::mode;
        if (backends->parsed()) return Command::backends;
        if (models->parsed()) return Command::models;
        if (explain->parsed()) return Command::explain;
        return Command::serve;
    }

    CLI::App app;
    bool help = false;
    bool version = false;
    CLI::App* serve = nullptr;
    CLI::App* check_config = nullptr;
    CLI::App* status = nullptr;
    CLI::App* mode = nullptr;
    CLI::App* backends = nullptr;
    CLI::App* models = nullptr;
    CLI::App* explain = nullptr;
};

/// The usage line that fits: of the command that was named, else of the program.
std::string usage(const Commands& commands) {
    const auto named = commands.app.get_subcommands();
    const std::string command = named.empty() ? "" : " " + named.front()->get_name();
    std::string arguments = " [options]";
    if (named.empty()) arguments = " [command] [options]";
    if (commands.explain->parsed()) arguments = " MODEL [options]";
    if (commands.mode->parsed()) arguments = " [NAME] [options]";
    if (commands.check_config->parsed()) arguments = " [FILE]";
    return "usage: ollama-proxy" + command + arguments +
           "\nTry 'ollama-proxy --help' for every command and option.\n";
}

std::string help_text(const Commands& commands) {
    const auto named = commands.app.get_subcommands();
    if (!named.empty()) return named.front()->help("ollama-proxy");
    return commands.app.help("", CLI::AppFormatMode::All);
}

}  // namespace

std::variant<Options, Exit> parse_options(const std::vector<std::string>& arguments) {
    // Help and version win over whatever else is on the line, complete or not.
    Raw raw;
    Commands commands(raw);
    std::string complaint;
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants
        commands.app.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        complaint = error.what();
    }
    if (commands.help) return Exit{0, help_text(commands), false};
    if (commands.version) return Exit{0, version_text() + "\n", false};
    if (!complaint.empty()) {
        return Exit{kUsageError, "ollama-proxy: " + complaint + "\n" + usage(commands), true};
    }
    raw.options.command = commands.chosen();
    if (!raw.log_level.empty()) raw.options.log_level = config::parse_log_level(raw.log_level);
    if (!raw.mode.empty()) raw.options.new_mode = config::parse_mode(raw.mode);
    for (const std::string& header : raw.headers) {
        raw.options.headers.push_back(split_header(header));
    }
    return raw.options;
}

void apply_flags(const Options& options, config::Environment& environment) {
    const auto set = [&](const char* flag, const std::string& variable, std::string value) {
        environment.variables[variable] = std::move(value);
        environment.flags[variable] = flag;
    };
    if (options.host) set("--host", "OLLAMA_PROXY_SERVER_HOST", *options.host);
    if (options.http_port) {
        set("--http-port", "OLLAMA_PROXY_SERVER_HTTP_PORT", std::to_string(*options.http_port));
    }
    if (options.grpc_port) {
        set("--grpc-port", "OLLAMA_PROXY_SERVER_GRPC_PORT", std::to_string(*options.grpc_port));
    }
    if (options.log_level) {
        set("--log-level", "OLLAMA_PROXY_LOGGING_LEVEL",
            std::string(config::to_string(*options.log_level)));
    }
}

std::string version_text() {
    std::string text = std::string("ollama-proxy ") + kVersion;
    const std::string commit = kCommit;
    if (!commit.empty()) text += " (commit " + commit + ")";
    return text;
}

}  // namespace ollama_proxy::app
