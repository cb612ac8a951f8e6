#pragma once

#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/demo/demo_server.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace ollama_proxy::app {

/// The four simulated servers of `--demo` on one thread of their own.
class DemoMachine {
  public:
    /// Listens on four free loopback ports; throws std::system_error when it cannot.
    DemoMachine();
    ~DemoMachine();
    DemoMachine(const DemoMachine&) = delete;
    DemoMachine& operator=(const DemoMachine&) = delete;

    /// They as backends of a configuration: ids demo-npu, demo-igpu, demo-nvidia, demo-cpu.
    [[nodiscard]] std::vector<config::Backend> backends() const;

  private:
    boost::asio::io_context context_{1};
    std::vector<std::unique_ptr<demo::DemoServer>> servers_;
    std::thread thread_;
};

}  // namespace ollama_proxy::app
