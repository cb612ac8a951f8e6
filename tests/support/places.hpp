#pragma once

#include <string>

namespace ollama_proxy::support {

/// The daemon's binary of this build.
const char* daemon_path();

/// A file of the source tree, by its path from the top.
std::string source_file(const std::string& path);

}  // namespace ollama_proxy::support
