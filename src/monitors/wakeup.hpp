#pragma once

namespace ollama_proxy::monitors {

/// A number that wakes whoever polls it.
class Wakeup {
  public:
    Wakeup();
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    void ring();   ///< any thread
    void quiet();  ///< takes what has rung
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_ = -1;
};

}  // namespace ollama_proxy::monitors
