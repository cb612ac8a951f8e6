#include "monitors/file_reader.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace ollama_proxy::monitors {

FileText KernelFiles::read(const std::string& path) {
    FileText out;
    // O_NONBLOCK: somebody's odd tree may hold a pipe; on the kernel's files it changes nothing
    const int fd = ::open((root_ / path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        out.error = errno;
        return out;
    }
    std::array<char, 4096> buffer;
    ssize_t got = 0;
    do {
        got = ::read(fd, buffer.data(), buffer.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        out.error = errno;
    } else {
        out.text.assign(buffer.data(), static_cast<std::size_t>(got));
        while (!out.text.empty() && (out.text.back() == '\n' || out.text.back() == ' ')) {
            out.text.pop_back();
        }
    }
    ::close(fd);
    return out;
}

std::vector<std::string> KernelFiles::list(const std::string& directory) {
    std::vector<std::string> out;
    std::error_code error;
    std::filesystem::directory_iterator entries(root_ / directory, error);
    while (!error && entries != std::filesystem::directory_iterator()) {
        out.push_back(entries->path().filename().string());
        entries.increment(error);
    }
    std::ranges::sort(out);
    return out;
}

std::string KernelFiles::link_name(const std::string& path) {
    std::error_code error;
    const auto target = std::filesystem::canonical(root_ / path, error);
    return error ? std::string() : target.filename().string();
}

}  // namespace ollama_proxy::monitors
