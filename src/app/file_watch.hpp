#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <sys/types.h>

namespace ollama_proxy::app {

/// Tells when a file has become another one: written, replaced by a rename as editors do, or
/// reached by a link that points elsewhere now. Watches the directories, not the file, because a
/// replaced file takes its watch away with it. Thread: one at a time.
class FileWatch {
  public:
    /// The file as it is now is the one that is known.
    explicit FileWatch(std::filesystem::path file);
    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    /// Readable when something has happened beside the file; -1 when nothing can be watched.
    [[nodiscard]] int fd() const { return fd_; }
    /// Takes what has happened, so that `fd()` is quiet.
    void drain() const;
    /// Whether the file is another than the one that is known; it is the known one from now on.
    /// An empty one is taken for one that is being written.
    [[nodiscard]] bool changed();

  private:
    /// What tells two versions of a file apart without reading them.
    struct Stamp {
        dev_t device = 0;
        ino_t number = 0;
        off_t size = 0;
        std::int64_t written_ns = 0;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    [[nodiscard]] std::optional<Stamp> stamp() const;  ///< nothing: there is no such file
    void watch() const;

    const std::filesystem::path file_;
    int fd_ = -1;
    std::optional<Stamp> known_;
};

}  // namespace ollama_proxy::app
