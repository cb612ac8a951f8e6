#pragma once

#include "app/demo_machine.hpp"
#include "app/discovery.hpp"
#include "ollama_proxy/config/config.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ollama_proxy::app {

/// The backends that no file names: those of `--demo`, or the servers found on this machine.
/// Thread: one at a time.
class LocalBackends {
  public:
    /// `demo` starts the simulated servers; throws std::system_error when they cannot listen.
    /// `ports`: where servers are looked for; they must live as long.
    explicit LocalBackends(bool demo, std::span<const std::uint16_t> ports = kUsualPorts);

    /// Puts them into a configuration that leaves the backends open, and takes a default backend
    /// out that is not there. Asked again, it keeps what was found before: a server that is down
    /// for the moment comes back. Blocks while it looks, for at most about 300 ms. Gives what is
    /// worth telling.
    [[nodiscard]] std::vector<std::string> fill_in(config::Config& config);

  private:
    const std::span<const std::uint16_t> ports_;
    std::optional<DemoMachine> demo_;
    std::vector<config::Backend> found_;
};

}  // namespace ollama_proxy::app
