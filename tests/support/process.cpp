#include "support/process.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace ollama_proxy::support {

namespace {

std::filesystem::path proc(pid_t pid) {
    return std::filesystem::path("/proc") / (pid == 0 ? "self" : std::to_string(pid));
}

std::size_t entries(const std::filesystem::path& folder) {
    const std::filesystem::directory_iterator begin(folder);
    return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

}  // namespace

std::size_t resident_bytes(pid_t pid) {
    std::ifstream file(proc(pid) / "statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t open_descriptors(pid_t pid) {
    // One of one's own is the listing itself.
    return entries(proc(pid) / "fd") - (pid == 0 ? 1 : 0);
}

std::size_t thread_count(pid_t pid) { return entries(proc(pid) / "task"); }

}  // namespace ollama_proxy::support
