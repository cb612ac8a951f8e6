#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ollama_proxy::runtime {

/// Read buffers that nobody uses at the moment. A connection that waits for a request or an answer
/// has one, a stream that idles has none: what it gives back is the next one's, without asking the
/// allocator, whose way for blocks above 1 KiB is the slow one. Thread: its worker's only.
class SpareBuffers {
  public:
    /// An empty string, with memory where there is some to spare.
    [[nodiscard]] std::string take() {
        if (spares_.empty()) return {};
        std::string out = std::move(spares_.back());
        spares_.pop_back();
        return out;
    }

    /// Leaves `buffer` empty and without memory of its own.
    void give(std::string& buffer) {
        if (is_worth_keeping(buffer.capacity()) && spares_.size() < kKept) {
            buffer.clear();
            spares_.push_back(std::move(buffer));
        }
        std::string().swap(buffer);
    }

    [[nodiscard]] std::size_t size() const { return spares_.size(); }
    static constexpr std::size_t kKept = 32;

  private:
    static bool is_worth_keeping(std::size_t capacity) {
        return capacity >= 1024 && capacity <= 8192;
    }

    std::vector<std::string> spares_;
};

}  // namespace ollama_proxy::runtime
