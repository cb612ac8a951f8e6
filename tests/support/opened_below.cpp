#include "support/opened_below.hpp"

#include "support/wait.hpp"

#include <array>
#include <cstring>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace ollama_proxy::support {
namespace fs = std::filesystem;

OpenedBelow::OpenedBelow(const fs::path& top) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    watch(top);
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
        if (entry.is_directory() && !entry.is_symlink()) watch(entry.path());
    }
    (void)since_last();  // looking for folders opened them
}

OpenedBelow::~OpenedBelow() { ::close(fd_); }

void OpenedBelow::watch(const fs::path& folder) {
    folders_[::inotify_add_watch(fd_, folder.c_str(), IN_OPEN)] = folder;
}

std::set<fs::path> OpenedBelow::since_last() {
    std::set<fs::path> out;
    alignas(inotify_event) std::array<char, 65536> buffer{};
    ssize_t got = 0;
    while ((got = ::read(fd_, buffer.data(), buffer.size())) > 0) {
        for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = buffer.data() + at + sizeof event;
            out.insert(event.len ? folders_[event.wd] / name : folders_[event.wd]);
            at += sizeof event + event.len;
        }
    }
    return out;
}

bool OpenedBelow::wait_for(const fs::path& file) {
    const TimePoint give_up = Clock::now() + kPatience;
    while (!since_last().contains(file)) {
        pollfd more{fd_, POLLIN, 0};
        if (::poll(&more, 1, left_until(give_up)) <= 0) return false;
    }
    return true;
}

}  // namespace ollama_proxy::support
