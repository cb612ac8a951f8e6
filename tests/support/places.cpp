#include "support/places.hpp"

// The only file compiled with absolute paths: the others stay the same in every checkout (ccache).
namespace ollama_proxy::support {

const char* daemon_path() { return DAEMON_PATH; }

std::string source_file(const std::string& path) { return SOURCE_DIR "/" + path; }

}  // namespace ollama_proxy::support
