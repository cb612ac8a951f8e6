#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::support {

/// A fresh folder, removed with all in it.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// Writes a file in it and returns its path.
    std::filesystem::path write(std::string_view name, std::string_view text) const;

  private:
    std::filesystem::path path_;
};

/// Sets (or with nothing, removes) an environment variable and restores it at the end.
/// Not while other threads read the environment.
class EnvGuard {
  public:
    EnvGuard(std::string name, std::optional<std::string> value);
    ~EnvGuard();
    EnvGuard(const EnvGuard&) = delete;
    EnvGuard& operator=(const EnvGuard&) = delete;

  private:
    static void set(const std::string& name, const std::optional<std::string>& value);
    std::string name_;
    std::optional<std::string> before_;
};

}  // namespace ollama_proxy::support
