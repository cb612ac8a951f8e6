#pragma once

#include "demo/job.hpp"
#include "demo/state.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace ollama_proxy::demo {

/// How long the parts of an answer took.
struct Timing {
    Clock::duration load{};
    Clock::duration prompt{};
    Clock::duration eval{};
    [[nodiscard]] Clock::duration total() const { return load + prompt + eval; }
};

/// Writes one answer in one dialect: as events of a stream, or whole. Each call appends to `out`.
class Renderer {
  public:
    Renderer(const Job& job, State& state, std::uint64_t number)
        : job_(job), state_(state), number_(number) {}
    virtual ~Renderer() = default;
    Renderer(const Renderer&) = delete;
    Renderer& operator=(const Renderer&) = delete;

    [[nodiscard]] virtual std::string_view stream_type() const = 0;
    /// Events that come before the first token.
    virtual void begin(std::string& out) = 0;
    virtual void token(std::string& out, std::string_view text) = 0;
    /// The job's tool call.
    virtual void tool(std::string& out) = 0;
    /// The dialect's end, usage included.
    virtual void end(std::string& out, const Timing& timing) = 0;
    virtual void error(std::string& out, std::string_view message) = 0;
    /// The body of an answer that is not streamed.
    virtual void full(std::string& out, const Timing& timing) = 0;

  protected:
    /// "prefix-17": unique per server, the same in every run.
    [[nodiscard]] std::string id(std::string_view prefix) const;
    [[nodiscard]] std::int64_t created() const;
    static void dump(std::string& out, const Json& json);

    const Job& job_;
    State& state_;
    std::uint64_t number_;
};

/// The renderer of the job's dialect; `job` and `state` must outlive it.
[[nodiscard]] std::unique_ptr<Renderer> make_renderer(const Job& job, State& state,
                                                      std::uint64_t number);

[[nodiscard]] std::unique_ptr<Renderer> make_native_renderer(const Job&, State&, std::uint64_t);
[[nodiscard]] std::unique_ptr<Renderer> make_openai_renderer(const Job&, State&, std::uint64_t);
[[nodiscard]] std::unique_ptr<Renderer> make_responses_renderer(const Job&, State&, std::uint64_t);
[[nodiscard]] std::unique_ptr<Renderer> make_messages_renderer(const Job&, State&, std::uint64_t);

}  // namespace ollama_proxy::demo
