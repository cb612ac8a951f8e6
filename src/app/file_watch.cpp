#include "app/file_watch.hpp"

#include <array>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace ollama_proxy::app {
namespace {

constexpr std::uint32_t kEvents =
    IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_MOVE_SELF;

std::filesystem::path folder_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

FileWatch::FileWatch(std::filesystem::path file)
    : file_(std::move(file)), fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), known_(stamp()) {
    watch();
}

FileWatch::~FileWatch() {
    if (fd_ >= 0) ::close(fd_);
}

void FileWatch::drain() const {
    alignas(inotify_event) std::array<char, 4096> events{};
    while (::read(fd_, events.data(), events.size()) > 0) {
    }
}

bool FileWatch::changed() {
    watch();  // before looking: what comes in between is told twice rather than never
    const auto now = stamp();
    if (now && now->size == 0) return false;
    return std::exchange(known_, now) != now;
}

std::optional<FileWatch::Stamp> FileWatch::stamp() const {
    struct stat info{};
    if (::stat(file_.c_str(), &info) != 0) return std::nullopt;
    constexpr std::int64_t kSecond = 1'000'000'000;
    return Stamp{info.st_dev, info.st_ino, info.st_size,
                 info.st_mtim.tv_sec * kSecond + info.st_mtim.tv_nsec};
}

/// Watching a folder again that is watched already changes nothing.
void FileWatch::watch() const {
    if (fd_ < 0) return;
    ::inotify_add_watch(fd_, folder_of(file_).c_str(), kEvents);
    std::error_code error;
    const auto target = std::filesystem::canonical(file_, error);
    if (!error) ::inotify_add_watch(fd_, folder_of(target).c_str(), kEvents);
}

}  // namespace ollama_proxy::app
