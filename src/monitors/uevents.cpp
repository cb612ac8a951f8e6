#include "monitors/uevents.hpp"

#include <array>
#include <cerrno>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ollama_proxy::monitors {
namespace {

/// Multicast group of the kernel itself; 2 is that of udev.
constexpr unsigned kKernelGroup = 1;

}  // namespace

bool is_power_supply_event(std::string_view message) {
    constexpr std::string_view kWanted = "SUBSYSTEM=power_supply";
    while (!message.empty()) {
        const std::size_t end = message.find('\0');
        if (message.substr(0, end) == kWanted) return true;
        if (end == message.npos) break;
        message.remove_prefix(end + 1);
    }
    return false;
}

UeventSocket::UeventSocket() {
    fd_ = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (fd_ < 0) return;
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kKernelGroup;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    ::close(fd_);
    fd_ = -1;
}

UeventSocket::~UeventSocket() {
    if (fd_ >= 0) ::close(fd_);
}

bool UeventSocket::drain() {
    bool changed = false;
    std::array<char, 8192> buffer;
    for (;;) {
        sockaddr_nl from{};
        socklen_t length = sizeof from;
        const ssize_t got = ::recvfrom(fd_, buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == ENOBUFS) {  // some were lost: perhaps the one that matters
            changed = true;
            continue;
        }
        if (got <= 0) return changed;
        // anybody may send to a netlink socket; the kernel's own id is 0
        if (from.nl_pid != 0) continue;
        const std::string_view message(buffer.data(), static_cast<std::size_t>(got));
        changed = changed || is_power_supply_event(message);
    }
}

}  // namespace ollama_proxy::monitors
