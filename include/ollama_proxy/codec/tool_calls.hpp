#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ollama_proxy::codec {

/// Puts the tool calls of a streamed answer together: OpenAI backends send them in fragments that
/// are told apart by `index`, Ollama sends each call whole. Bounded by 1 MiB in all; what comes
/// beyond is dropped and `overflowed()`. Pure.
class ToolCalls {
  public:
    static constexpr std::size_t kMaxBytes = 1024 * 1024;

    /// Adds `Delta::tool_calls`; empty text adds nothing.
    void add(std::string_view fragments);

    [[nodiscard]] bool empty() const { return calls_.empty(); }
    [[nodiscard]] bool overflowed() const { return overflowed_; }
    /// A JSON array of whole calls in OpenAI's form, `arguments` as a JSON text; "" when none came.
    [[nodiscard]] std::string json() const;

  private:
    struct Call {
        std::string id;
        std::string name;
        std::string arguments;
    };
    std::map<std::uint64_t, Call> calls_;
    std::size_t bytes_ = 0;
    bool overflowed_ = false;
};

}  // namespace ollama_proxy::codec
