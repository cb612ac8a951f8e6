#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// Watches what a backend says of its work on models (pull, push, create): lines of JSON, the last
/// of which tells how it went. Pure.
class ProgressLines {
  public:
    void feed(std::string_view bytes);

    /// What came so far ends with a whole line: one of ours may follow.
    [[nodiscard]] bool at_boundary() const { return !mid_line_; }

    /// The last line is an end: success, an error, or `"done":true`. Its line end may lack.
    [[nodiscard]] bool complete() const;

  private:
    static constexpr std::size_t kMaxLine = std::size_t{64} * 1024;  ///< an end is far shorter

    std::string line_;  ///< the last one that is not empty, as far as it came
    bool mid_line_ = false;
};

}  // namespace ollama_proxy::router
