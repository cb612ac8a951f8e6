#pragma once

#include <optional>
#include <string_view>

namespace ollama_proxy::config {

/// The words of the configuration as types. `to_string` gives the one spelling that we show,
/// `parse_*` also accepts what people write; neither allocates.

enum class BackendType {
    ollama,  ///< Ollama native API and its /v1
    openai,  ///< OpenAI compatible API only
};

enum class Hardware {
    npu,
    igpu,
    nvidia,
    amd,
    cpu,
    cloud,    ///< not on this machine: asked only by name or as the last resort
    unknown,  ///< not given: no power term, last in every mode's order
};

enum class Mode {
    performance,
    balanced,
    efficiency,
    quiet,
    automatic,  ///< "Auto": one of the others, chosen from power and heat
    ultra_efficiency,
};

enum class LogLevel { trace, debug, info, warn, error, off };

enum class LogFormat {
    text,
    json,
    journal,  ///< text with the syslog priority prefixes that journald reads
};

/// "ollama", "openai".
[[nodiscard]] std::string_view to_string(BackendType type);
/// "npu", "igpu", "nvidia", "amd", "cpu", "cloud", "unknown".
[[nodiscard]] std::string_view to_string(Hardware hardware);
/// "Performance", "Balanced", "Efficiency", "Quiet", "Auto", "UltraEfficiency".
[[nodiscard]] std::string_view to_string(Mode mode);
/// "trace", "debug", "info", "warn", "error", "off".
[[nodiscard]] std::string_view to_string(LogLevel level);
/// "text", "json", "journal".
[[nodiscard]] std::string_view to_string(LogFormat format);

/// Case does not matter.
[[nodiscard]] std::optional<BackendType> parse_backend_type(std::string_view text);
/// Case does not matter.
[[nodiscard]] std::optional<Hardware> parse_hardware(std::string_view text);
/// Case, blanks, '-' and '_' do not matter: "ultra-efficiency" is "UltraEfficiency". "automatic" is
/// "Auto".
[[nodiscard]] std::optional<Mode> parse_mode(std::string_view text);
/// Case does not matter; "warning" is "warn".
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view text);
/// Case does not matter.
[[nodiscard]] std::optional<LogFormat> parse_log_format(std::string_view text);

/// Equal but for case, blanks, '-' and '_'.
[[nodiscard]] bool equals_loosely(std::string_view a, std::string_view b);

}  // namespace ollama_proxy::config
