#pragma once

#include <string>
#include <vector>

namespace ollama_proxy::support {

/// What the tests' libnvidia-ml.so.1 says, and what it was asked. One at a time in a process.
class FakeGpu {
  public:
    /// A GPU at 64 degrees that draws 71.5 W.
    FakeGpu();
    ~FakeGpu();
    FakeGpu(const FakeGpu&) = delete;
    FakeGpu& operator=(const FakeGpu&) = delete;

    /// "celsius watts_mW energy_mJ fan_percent reasons mode"; replaced at once.
    void says(const std::string& line) const;
    /// "init", "shutdown", a PCI address for each handle; oldest first.
    [[nodiscard]] std::vector<std::string> calls() const;
    [[nodiscard]] int asked(const std::string& what) const;
    void forget_calls() const;

  private:
    std::string path_;
};

}  // namespace ollama_proxy::support
