#include "ollama_proxy/config/load.hpp"

#include "config/address.hpp"
#include "config/environment.hpp"
#include "config/node.hpp"
#include "config/reader.hpp"
#include "config/tables.hpp"
#include "config/validate.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <tuple>

namespace ollama_proxy::config {
namespace {

constexpr std::size_t kLargestFile = 1024 * 1024;
constexpr std::string_view kBuiltIn = "built-in defaults";

std::filesystem::path default_state_dir(const Environment& environment) {
    if (const auto xdg = environment.get("XDG_STATE_HOME"); xdg && !xdg->empty()) {
        return std::filesystem::path(*xdg) / "ollama-proxy";
    }
    if (const auto home = environment.get("HOME"); home && !home->empty()) {
        return std::filesystem::path(*home) / ".local/state/ollama-proxy";
    }
    return {};
}

LoadResult finish(Reader& reader, std::shared_ptr<Config> config) {
    LoadResult result;
    // In file order; what has no place in the file (the environment) comes last.
    std::stable_sort(reader.problems.begin(), reader.problems.end(),
                     [](const Problem& a, const Problem& b) {
                         return std::tuple(a.line == 0, a.line, a.column) <
                                std::tuple(b.line == 0, b.line, b.column);
                     });
    result.problems = std::move(reader.problems);
    result.warnings = std::move(reader.warnings);
    if (result.problems.empty()) result.config = std::move(config);
    return result;
}

LoadResult read(const Node* root, const std::string& filename, const Environment& environment,
                Secrets secrets = Secrets::needed) {
    Reader reader(filename, environment);
    reader.secrets = secrets;
    auto config = std::make_shared<Config>();
    config->source = filename;
    collect_overrides(reader);
    read_table(config_table(), reader, root, "", *config);
    if (config->state_dir.empty()) config->state_dir = default_state_dir(environment);
    // References into sections that could not be read would only repeat the same mistake.
    const bool whole = root == nullptr || root->kind != Node::Kind::list;
    if (whole) validate(reader, *config);
    for (std::string& host : config->server.host) host = canonical_host(host);
    warn_about_variables(reader);
    return finish(reader, std::move(config));
}

LoadResult refused(const std::string& filename, std::string text) {
    LoadResult result;
    result.problems.push_back({filename, 0, 0, {}, std::move(text)});
    return result;
}

}  // namespace

std::string Problem::to_string() const {
    std::string out = file;
    if (line > 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
    if (!out.empty()) out += ": ";
    if (!key.empty()) out += key + ": ";
    return out + text;
}

LoadResult load_text(std::string_view yaml, const std::string& filename,
                     const Environment& environment, Secrets secrets) {
    if (yaml.size() > kLargestFile) return refused(filename, "larger than 1 MiB");
    LoadResult result;
    const Node::Ptr root = parse_yaml(yaml, filename, result.problems);
    if (root == nullptr) return result;
    return read(root.get(), filename, environment, secrets);
}

LoadResult load_file(const std::filesystem::path& path, const Environment& environment,
                     Secrets secrets) {
    const std::string filename = path.string();
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) return refused(filename, "no such file");
    if (std::filesystem::is_directory(status)) return refused(filename, "a directory, not a file");
    // A pipe or device might never end or never answer.
    if (!std::filesystem::is_regular_file(status)) return refused(filename, "not a regular file");
    std::ifstream file(path, std::ios::binary);
    if (!file) return refused(filename, std::string("cannot be read: ") + std::strerror(errno));
    std::string text(kLargestFile + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return refused(filename, "reading it failed");
    text.resize(static_cast<std::size_t>(file.gcount()));
    return load_text(text, filename, environment, secrets);
}

LoadResult load_default(const Environment& environment) {
    return read(nullptr, std::string(kBuiltIn), environment);
}

}  // namespace ollama_proxy::config
