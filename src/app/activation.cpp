#include "app/activation.hpp"

#include <systemd/sd-daemon.h>

#include <cstring>
#include <ctime>
#include <sys/socket.h>

namespace ollama_proxy::app {
Result<Activation> take_activation(std::optional<std::uint16_t> grpc_port) {
    Activation out;
    const int count = sd_listen_fds(1);
    if (count < 0) {
        return make_error(Errc::io,
                          "the sockets of the service manager (LISTEN_FDS) cannot be taken: " +
                              std::string(std::strerror(-count)));
    }
    for (int i = 0; i < count; ++i) {
        const int fd = SD_LISTEN_FDS_START + i;
        const bool tcp = sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0;
        if (!tcp) {
            return make_error(
                Errc::io, "the service manager handed over a descriptor (number " +
                              std::to_string(fd) +
                              ") that is no listening TCP socket: use ListenStream=ADDRESS:PORT");
        }
        const bool grpc = grpc_port && *grpc_port > 0 &&
                          sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, *grpc_port) > 0;
        (grpc ? out.grpc_sockets : out.http_sockets).push_back(fd);
    }
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(1, &microseconds) > 0) {
        out.watchdog =
            std::chrono::duration_cast<Milliseconds>(std::chrono::microseconds(microseconds));
    }
    return out;
}

void notify_ready(const std::string& status) {
    sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}
void notify_reloading() {
    // of the clock that systemd compares with, not of ours
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    constexpr std::int64_t kMicroseconds = 1'000'000;
    const std::int64_t at = now.tv_sec * kMicroseconds + now.tv_nsec / 1000;
    sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(at)).c_str());
}
void notify_stopping() { sd_notify(0, "STOPPING=1\nSTATUS=finishing requests in progress"); }
void notify_alive() { sd_notify(0, "WATCHDOG=1"); }

}  // namespace ollama_proxy::app
