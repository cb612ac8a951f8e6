#include "ollama_proxy/config/words.hpp"

#include "ollama_proxy/common/ascii.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ollama_proxy::config {
namespace {

template <class E>
struct Word {
    std::string_view text;
    E value;
};

// In each table the first word of a value is the one that is shown.

constexpr std::array kBackendTypes{Word{"ollama", BackendType::ollama},
                                   Word{"openai", BackendType::openai}};

constexpr std::array kHardware{Word{"npu", Hardware::npu},        Word{"igpu", Hardware::igpu},
                               Word{"nvidia", Hardware::nvidia},  Word{"amd", Hardware::amd},
                               Word{"cpu", Hardware::cpu},        Word{"cloud", Hardware::cloud},
                               Word{"unknown", Hardware::unknown}};

constexpr std::array kModes{
    Word{"Performance", Mode::performance}, Word{"Balanced", Mode::balanced},
    Word{"Efficiency", Mode::efficiency},   Word{"Quiet", Mode::quiet},
    Word{"Auto", Mode::automatic},          Word{"UltraEfficiency", Mode::ultra_efficiency},
    Word{"Automatic", Mode::automatic}};

constexpr std::array kLogLevels{Word{"trace", LogLevel::trace}, Word{"debug", LogLevel::debug},
                                Word{"info", LogLevel::info},   Word{"warn", LogLevel::warn},
                                Word{"error", LogLevel::error}, Word{"off", LogLevel::off},
                                Word{"warning", LogLevel::warn}};

constexpr std::array kLogFormats{Word{"text", LogFormat::text}, Word{"json", LogFormat::json},
                                 Word{"journal", LogFormat::journal}};

template <class Words, class E>
std::string_view shown(const Words& words, E value) {
    for (const auto& word : words) {
        if (word.value == value) return word.text;
    }
    return "?";
}

template <class E, std::size_t N>
std::optional<E> found(const std::array<Word<E>, N>& words, std::string_view text) {
    for (const auto& word : words) {
        if (iequals(word.text, trim(text))) return word.value;
    }
    return std::nullopt;
}

constexpr bool is_separator(char c) { return c == ' ' || c == '-' || c == '_' || c == '\t'; }

}  // namespace

bool equals_loosely(std::string_view a, std::string_view b) {
    std::size_t i = 0;
    std::size_t j = 0;
    while (true) {
        while (i < a.size() && is_separator(a[i])) ++i;
        while (j < b.size() && is_separator(b[j])) ++j;
        if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
        if (ascii_lower(a[i++]) != ascii_lower(b[j++])) return false;
    }
}

std::string_view to_string(BackendType type) { return shown(kBackendTypes, type); }
std::string_view to_string(Hardware hardware) { return shown(kHardware, hardware); }
std::string_view to_string(Mode mode) { return shown(kModes, mode); }
std::string_view to_string(LogLevel level) { return shown(kLogLevels, level); }
std::string_view to_string(LogFormat format) { return shown(kLogFormats, format); }

std::optional<BackendType> parse_backend_type(std::string_view text) {
    return found(kBackendTypes, text);
}
std::optional<Hardware> parse_hardware(std::string_view text) { return found(kHardware, text); }

std::optional<Mode> parse_mode(std::string_view text) {
    for (const auto& word : kModes) {
        if (equals_loosely(word.text, text)) return word.value;
    }
    return std::nullopt;
}

std::optional<LogLevel> parse_log_level(std::string_view text) { return found(kLogLevels, text); }
std::optional<LogFormat> parse_log_format(std::string_view text) {
    return found(kLogFormats, text);
}

}  // namespace ollama_proxy::config
