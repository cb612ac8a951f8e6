#pragma once

#include "monitors/deadline_lane.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ollama_proxy::monitors {

/// What NVIDIA's library says of one GPU.
struct NvmlFacts {
    std::optional<double> celsius;
    std::optional<double> watts;
    std::optional<double> joules;  ///< counter since the driver was loaded
    std::optional<double> fan_percent;
    std::optional<bool> slows_down;  ///< for heat, or because its power supply asks for it
};

/// NVIDIA's management library, loaded at run time. Everything of it runs on one long-lived thread;
/// when that hangs the library is given up for good. While nothing is read, no handle is held, so
/// that a GPU may go to sleep. Thread: all calls from one.
class Nvml {
  public:
    /// `library`: what dlopen gets.
    explicit Nvml(std::string library, Clock::duration limit);
    ~Nvml();
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    /// Reads the GPUs with these PCI addresses ("#0" = the first one), which must be awake. One
    /// entry each; empty when the library cannot be used, which is said once.
    [[nodiscard]] std::vector<NvmlFacts> read(const std::vector<std::string>& gpus);

    /// Lets go of every GPU; the next reading takes hold again.
    void release();

    /// False once it hung, or where there is no such library.
    [[nodiscard]] bool usable() const { return !given_up_; }

  private:
    struct Library;
    void give_up(const std::string& why);

    const Clock::duration limit_;
    std::shared_ptr<Library> library_;
    DeadlineLane lane_{"nvml"};
    bool given_up_ = false;
    bool held_ = false;
};

}  // namespace ollama_proxy::monitors
