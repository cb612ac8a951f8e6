#pragma once

#include "support/environment.hpp"
#include "support/machine_tree.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace ollama_proxy::support {

/// A machine in a folder.
class MachineFolder {
  public:
    explicit MachineFolder(const test::MachineTree& tree) { tree.write_to(folder_.path()); }
    /// Replaces a file's text at once, as the kernel does.
    void set(const std::string& path, const std::string& text) const {
        std::ofstream(folder_.path() / "fresh") << text << "\n";
        std::filesystem::rename(folder_.path() / "fresh", folder_.path() / path);
    }
    [[nodiscard]] std::filesystem::path path() const { return folder_.path(); }
    [[nodiscard]] std::string settings(const std::string& intervals) const {
        return "monitors: {sysfs_root: \"" + path().string() + "\", " + intervals + "}\n";
    }

  private:
    TempDir folder_;
};

}  // namespace ollama_proxy::support
