#include "monitors/wakeup.hpp"

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ollama_proxy::monitors {

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Wakeup::~Wakeup() {
    if (fd_ >= 0) ::close(fd_);
}

void Wakeup::ring() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
}

void Wakeup::quiet() {
    std::uint64_t rung = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd_, &rung, sizeof rung);
}

}  // namespace ollama_proxy::monitors
