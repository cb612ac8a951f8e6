#include "telemetry/stderr_writer.hpp"

#include <climits>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

namespace ollama_proxy::telemetry {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// How long one poll lasts: the longest time until a change of patience is seen.
constexpr int kPollMs = 100;

}  // namespace

bool StderrWriter::wait_writable() const {
    for (;;) {
        const auto now = SteadyClock::now().time_since_epoch().count();
        const bool last = now >= give_up_at_.load(std::memory_order_relaxed);
        pollfd wanted{descriptor_, POLLOUT, 0};
        const int ready = ::poll(&wanted, 1, last ? 0 : kPollMs);
        if (ready > 0) return (wanted.revents & (POLLERR | POLLNVAL)) == 0;
        if (last || (ready < 0 && errno != EINTR)) return false;
    }
}

bool StderrWriter::write(std::string_view lines) {
    std::lock_guard lock(mutex_);
    while (!lines.empty()) {
        // A pipe that poll calls writable takes PIPE_BUF bytes without blocking, not more.
        const std::size_t size = std::min<std::size_t>(lines.size(), PIPE_BUF);
        const ssize_t written = wait_writable() ? ::write(descriptor_, lines.data(), size) : -2;
        if (written > 0) {
            lines.remove_prefix(static_cast<std::size_t>(written));
        } else if (written != -1 || (errno != EINTR && errno != EAGAIN)) {
            lost_.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
    }
    return true;
}

void StderrWriter::give_up_after(std::chrono::milliseconds patience) {
    give_up_at_.store((SteadyClock::now() + patience).time_since_epoch().count(),
                      std::memory_order_relaxed);
}

void StderrWriter::be_patient() {
    give_up_at_.store(SteadyClock::time_point::max().time_since_epoch().count(),
                      std::memory_order_relaxed);
}

bool StderrWriter::wants_colour() const {
    const char* no_colour = std::getenv("NO_COLOR");
    return (no_colour == nullptr || *no_colour == '\0') && ::isatty(descriptor_) == 1;
}

StderrWriter& stderr_writer() {
    // never destroyed: lines may still come while other statics die
    static StderrWriter& writer = *new StderrWriter(STDERR_FILENO);
    return writer;
}

}  // namespace ollama_proxy::telemetry
