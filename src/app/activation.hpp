#pragma once

#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::app {

/// What a service manager gave this process: sockets that listen already, and how often it wants
/// to hear that the daemon lives. Empty where there is none.
struct Activation {
    std::vector<int> http_sockets;
    std::vector<int> grpc_sockets;  ///< those that listen on server.grpc_port
    Milliseconds watchdog{0};       ///< 0 = not wanted
};

/// Takes what systemd handed over by LISTEN_FDS and WATCHDOG_USEC, once: the variables are gone
/// afterwards. Error: a descriptor that is no listening TCP socket.
[[nodiscard]] Result<Activation> take_activation(std::optional<std::uint16_t> grpc_port);

/// Says to systemd (NOTIFY_SOCKET) what the daemon is about; nothing happens without one.
void notify_ready(const std::string& status);
/// The configuration is being read again; `notify_ready` follows, whatever comes of it.
void notify_reloading();
void notify_stopping();
void notify_alive();

}  // namespace ollama_proxy::app
