#include "monitors/watched_files.hpp"

#include <algorithm>
#include <cerrno>

namespace ollama_proxy::monitors {
namespace {

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

bool WatchedFiles::avoids(const std::string& directory) {
    if (std::ranges::find(avoid_, directory) != avoid_.end()) return true;
    whereabouts_->enter(directory);
    return false;
}

FileText WatchedFiles::read(const std::string& path) {
    if (avoids(directory_of(path))) return {"", ETIMEDOUT};
    return files_.read(path);
}

std::vector<std::string> WatchedFiles::list(const std::string& directory) {
    if (avoids(directory)) return {};
    return files_.list(directory);
}

std::string WatchedFiles::link_name(const std::string& path) { return files_.link_name(path); }

}  // namespace ollama_proxy::monitors
