#pragma once

#include "ollama_proxy/common/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy {

/// What the daemon remembers between two runs: small files in the state directory. All calls block
/// on the file system; none throws. What is in a file, and its version, is its owner's business.

inline constexpr std::size_t kStateFileLimit = 16 * 1024 * 1024;

/// The whole file; nothing when there is none yet. Errors: `io`, with the path and the cause; a
/// file above kStateFileLimit is one of them.
[[nodiscard]] Result<std::optional<std::string>> read_state_file(const std::filesystem::path& path);

/// Whether files could be written below `directory`, which need not be there yet; changes nothing.
[[nodiscard]] std::optional<Error> check_state_directory(const std::filesystem::path& directory);

/// Replaces the file as a whole: after a crash or a power cut there is the old content or the new
/// one. Makes the directory (0700) where it is missing; the file is for its owner alone (0600).
[[nodiscard]] std::optional<Error> replace_state_file(const std::filesystem::path& path,
                                                      std::string_view content);

/// Renames a file that cannot be used to `<path>.corrupt` (an earlier one there is replaced), so
/// that a person can look at it and the next write does not lose it. The new name.
[[nodiscard]] Result<std::filesystem::path> set_aside_state_file(const std::filesystem::path& path);

}  // namespace ollama_proxy
