#pragma once

#include <string_view>

namespace ollama_proxy::monitors {

/// True for the kernel's message of a change of an adapter or battery
/// ("change@/devices/...\0ACTION=change\0...\0SUBSYSTEM=power_supply\0...").
[[nodiscard]] bool is_power_supply_event(std::string_view message);

/// The kernel's messages about devices. Where they cannot be had, `fd()` is -1.
class UeventSocket {
  public:
    UeventSocket();
    /// One that is open already, and is closed by this.
    explicit UeventSocket(int fd) : fd_(fd) {}
    ~UeventSocket();
    UeventSocket(const UeventSocket&) = delete;
    UeventSocket& operator=(const UeventSocket&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    /// Reads what has come. True when an adapter or battery changed.
    [[nodiscard]] bool drain();

  private:
    int fd_ = -1;
};

}  // namespace ollama_proxy::monitors
