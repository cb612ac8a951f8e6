#include "config/environment.hpp"

#include "config/suggest.hpp"

#include <array>
#include <system_error>
#include <unistd.h>

extern char** environ;

namespace ollama_proxy::config {
namespace {

constexpr std::string_view kPrefix = "OLLAMA_PROXY_";

bool is_scalar(const KeyInfo& info) {
    for (const std::string_view type : {"integer", "integer_or_null", "number", "boolean", "string",
                                        "enum", "string_or_strings"}) {
        if (info.type == type) return info.path.find("[]") == std::string::npos;
    }
    return false;
}

}  // namespace

Environment Environment::from_process() {
    Environment environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

std::optional<std::string> Environment::get(std::string_view name) const {
    const auto found = variables.find(std::string(name));
    if (found == variables.end()) return std::nullopt;
    return found->second;
}

std::string variable_name(const std::string& key) {
    std::string name(kPrefix);
    for (const char c : key) {
        name.push_back(c == '.' ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 32) : c);
    }
    return name;
}

void collect_overrides(Reader& reader) {
    for (const KeyInfo& info : known_keys()) {
        if (!is_scalar(info)) continue;
        const std::string name = variable_name(info.path);
        const auto value = reader.environment.get(name);
        if (!value) continue;
        Node node;
        const auto flag = reader.environment.flags.find(name);
        node.place.origin = flag == reader.environment.flags.end() ? name : flag->second;
        node.text = *value;
        const bool off = info.type == "integer_or_null" && (*value == "null" || *value == "~");
        node.kind = off ? Node::Kind::null : Node::Kind::scalar;
        reader.overrides.emplace(info.path, std::move(node));
    }
}

void warn_about_variables(Reader& reader) {
    std::vector<std::string> names;
    for (const KeyInfo& info : known_keys()) {
        if (is_scalar(info)) names.push_back(variable_name(info.path));
    }
    const std::array<std::string_view, 3> own{"OLLAMA_PROXY_CONFIG", "OLLAMA_PROXY_API_KEY",
                                              "OLLAMA_PROXY_KEY"};
    const auto& variables = reader.environment.variables;
    for (auto it = variables.lower_bound(std::string(kPrefix));
         it != variables.end() && it->first.starts_with(kPrefix); ++it) {
        const std::string& name = it->first;
        bool known = reader.referenced_variables.contains(name);
        for (const std::string_view one : own) known = known || name == one;
        for (const std::string& one : names) known = known || name == one;
        if (!known) {
            reader.warn("environment variable " + name + " matches no key" +
                        did_you_mean(name, names));
        }
    }
}

std::optional<std::filesystem::path> find_config_file(const Environment& environment,
                                                      const std::filesystem::path& cwd) {
    if (const auto named = environment.get("OLLAMA_PROXY_CONFIG"); named && !named->empty()) {
        return std::filesystem::path(*named);
    }
    std::vector<std::filesystem::path> places;
    const auto home = environment.get("HOME");
    if (const auto xdg = environment.get("XDG_CONFIG_HOME"); xdg && !xdg->empty()) {
        places.emplace_back(std::filesystem::path(*xdg) / "ollama-proxy/config.yaml");
    } else if (home && !home->empty()) {
        places.emplace_back(std::filesystem::path(*home) / ".config/ollama-proxy/config.yaml");
    }
    places.emplace_back("/etc/ollama-proxy/config.yaml");
    places.emplace_back(cwd / "config/config.yaml");
    for (const auto& place : places) {
        std::error_code error;
        if (std::filesystem::is_regular_file(place, error)) return place;
    }
    return std::nullopt;
}

}  // namespace ollama_proxy::config
