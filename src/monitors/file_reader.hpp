#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// What a small file held, without its last newline, or why it could not be read.
struct FileText {
    std::string text;
    int error = 0;  ///< errno; 0 = `text` is there

    [[nodiscard]] bool ok() const { return error == 0; }
};

/// The only way by which this room looks at the kernel's files; paths are relative to a root
/// ("class/hwmon/hwmon0/name"). Tests put their own behind it.
/// Thread: one at a time; calls may block for as long as a driver does.
class FileReader {
  public:
    virtual ~FileReader() = default;
    /// Opens and reads a file of at most 4 KiB.
    virtual FileText read(const std::string& path) = 0;
    /// Names in a directory, sorted; empty when there is none.
    virtual std::vector<std::string> list(const std::string& directory) = 0;
    /// The last component of what a link leads to ("0000:01:00.0"); empty when it leads nowhere.
    /// Opens nothing.
    virtual std::string link_name(const std::string& path) = 0;
};

/// Files below a directory, `/sys` in real life.
class KernelFiles final : public FileReader {
  public:
    explicit KernelFiles(std::filesystem::path root) : root_(std::move(root)) {}

    FileText read(const std::string& path) override;
    std::vector<std::string> list(const std::string& directory) override;
    std::string link_name(const std::string& path) override;

  private:
    std::filesystem::path root_;
};

}  // namespace ollama_proxy::monitors
