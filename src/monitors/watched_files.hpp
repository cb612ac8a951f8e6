#pragma once

#include "monitors/file_reader.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// Where a reader is, told to whoever waits for it. Any thread.
class Whereabouts {
  public:
    void enter(const std::string& directory) {
        std::lock_guard lock(mutex_);
        directory_ = directory;
    }
    [[nodiscard]] std::string directory() const {
        std::lock_guard lock(mutex_);
        return directory_;
    }
    std::atomic<bool> over{false};  ///< the reader has come back

  private:
    mutable std::mutex mutex_;
    std::string directory_;
};

/// Another reader that says where it is, and leaves out directories in which somebody hangs.
class WatchedFiles final : public FileReader {
  public:
    WatchedFiles(FileReader& files, std::shared_ptr<Whereabouts> whereabouts,
                 std::vector<std::string> avoid)
        : files_(files), whereabouts_(std::move(whereabouts)), avoid_(std::move(avoid)) {}

    FileText read(const std::string& path) override;
    std::vector<std::string> list(const std::string& directory) override;
    std::string link_name(const std::string& path) override;

  private:
    [[nodiscard]] bool avoids(const std::string& directory);

    FileReader& files_;
    std::shared_ptr<Whereabouts> whereabouts_;
    std::vector<std::string> avoid_;
};

}  // namespace ollama_proxy::monitors
