#pragma once

#include <filesystem>
#include <map>
#include <set>

namespace ollama_proxy::support {

/// Notes which files and folders below a folder are opened, as the kernel tells it (inotify).
class OpenedBelow {
  public:
    explicit OpenedBelow(const std::filesystem::path& top);
    ~OpenedBelow();
    OpenedBelow(const OpenedBelow&) = delete;
    OpenedBelow& operator=(const OpenedBelow&) = delete;

    /// Those that were opened since the last call.
    [[nodiscard]] std::set<std::filesystem::path> since_last();
    /// Waits until `file` is opened once more; false when it never is.
    [[nodiscard]] bool wait_for(const std::filesystem::path& file);

  private:
    void watch(const std::filesystem::path& folder);
    int fd_;
    std::map<int, std::filesystem::path> folders_;
};

}  // namespace ollama_proxy::support
