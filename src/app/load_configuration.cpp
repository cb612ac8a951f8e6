#include "app/load_configuration.hpp"

#include <filesystem>
#include <system_error>

namespace ollama_proxy::app {

config::LoadResult load_configuration(const Options& options, config::Environment environment) {
    apply_flags(options, environment);
    if (options.config) return config::load_file(*options.config, environment);
    std::error_code ignored;  // a working directory that was removed holds no configuration
    const auto cwd = std::filesystem::current_path(ignored);
    if (const auto found = config::find_config_file(environment, cwd)) {
        return config::load_file(*found, environment);
    }
    return config::load_default(environment);
}

}  // namespace ollama_proxy::app
