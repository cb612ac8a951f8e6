#include "app/load_configuration.hpp"

#include <filesystem>
#include <system_error>

namespace ollama_proxy::app {

std::optional<std::string> configuration_file(const Options& options,
                                              const config::Environment& environment) {
    if (options.config) return options.config;
    std::error_code ignored;  // a working directory that was removed holds no configuration
    const auto cwd = std::filesystem::current_path(ignored);
    const auto found = config::find_config_file(environment, cwd);
    return found ? std::optional(found->string()) : std::nullopt;
}

config::LoadResult load_configuration(const Options& options, config::Environment environment,
                                      config::Secrets secrets) {
    apply_flags(options, environment);
    const auto file = configuration_file(options, environment);
    return file ? config::load_file(*file, environment, secrets)
                : config::load_default(environment);
}

}  // namespace ollama_proxy::app
