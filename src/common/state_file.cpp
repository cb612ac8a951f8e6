#include "ollama_proxy/common/state_file.hpp"

#include "ollama_proxy/common/descriptor.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ollama_proxy {
namespace fs = std::filesystem;

namespace {

Error file_error(const fs::path& path, const char* what, int cause) {
    return make_error(Errc::io,
                      path.string() + ": " + what + ": " + std::generic_category().message(cause));
}

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

/// The rename itself is only certain once the directory is on the disk. Some file systems cannot;
/// then it is as certain as it gets.
void sync_directory(const fs::path& directory) {
    const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.is_open()) ::fsync(fd.get());
}

std::optional<Error> make_directory(const fs::path& directory) {
    std::error_code error;
    const fs::file_status status = fs::status(directory, error);
    if (fs::is_directory(status)) return std::nullopt;
    fs::create_directories(directory, error);
    if (error) return file_error(directory, "cannot be made", error.value());
    fs::permissions(directory, fs::perms::owner_all, error);
    return std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> read_state_file(const fs::path& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.is_open()) {
        if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
        return file_error(path, "cannot be opened", errno);
    }
    std::string content;
    char buffer[16384];
    for (;;) {
        const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_error(path, "cannot be read", errno);
        if (n == 0) return std::optional<std::string>(std::move(content));
        content.append(buffer, static_cast<std::size_t>(n));
        if (content.size() > kStateFileLimit) return file_error(path, "cannot be read", EFBIG);
    }
}

std::optional<Error> check_state_directory(const fs::path& directory) {
    fs::path there = directory;
    std::error_code ignored;
    while (there.has_relative_path() && !fs::exists(there, ignored)) there = there.parent_path();
    if (there.empty()) there = ".";
    if (!fs::is_directory(there, ignored)) return file_error(there, "cannot be used", ENOTDIR);
    if (::access(there.c_str(), W_OK | X_OK) != 0) {
        return file_error(there, "cannot be written to", errno);
    }
    return std::nullopt;
}

std::optional<Error> replace_state_file(const fs::path& path, std::string_view content) {
    if (auto error = make_directory(path.parent_path())) return error;
    const fs::path fresh = path.string() + ".new";
    Descriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                         S_IRUSR | S_IWUSR));
    if (!fd.is_open()) return file_error(fresh, "cannot be opened", errno);
    // a full disk is told by write, fsync or rename, and the old file stays
    if (!write_all(fd.get(), content) || ::fsync(fd.get()) != 0) {
        const int cause = errno;
        ::unlink(fresh.c_str());
        return file_error(fresh, "cannot be written", cause);
    }
    fd.reset();
    if (::rename(fresh.c_str(), path.c_str()) != 0) {
        const int cause = errno;
        ::unlink(fresh.c_str());
        return file_error(path, "cannot be replaced", cause);
    }
    sync_directory(path.parent_path());
    return std::nullopt;
}

Result<fs::path> set_aside_state_file(const fs::path& path) {
    fs::path aside = path.string() + ".corrupt";
    std::error_code error;
    fs::rename(path, aside, error);
    if (error) return file_error(path, "cannot be set aside", error.value());
    return aside;
}

}  // namespace ollama_proxy
