#include "demo/renderer.hpp"

namespace ollama_proxy::demo {

namespace {

std::int64_t nanos(Clock::duration d) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

/// `/api/chat`, `/api/generate`, `/api/embed`, `/api/embeddings`.
class NativeRenderer final : public Renderer {
  public:
    NativeRenderer(const Job& job, State& state, std::uint64_t number)
        : Renderer(job, state, number), chat_(job.dialect == Dialect::ollama_chat) {
        before_stamp_ = R"({"model":)";
        append_quoted(before_stamp_, job.model);
        before_stamp_ += R"(,"created_at":")";
    }

    [[nodiscard]] std::string_view stream_type() const override { return "application/x-ndjson"; }
    void begin(std::string&) override {}

    void token(std::string& out, std::string_view text) override {
        open(out, text);
        out += chat_ ? "\"},\"done\":false}\n" : "\",\"done\":false}\n";
    }

    void tool(std::string& out) override {
        open(out, "");
        out += "\"";
        append_tool(out);
        out += chat_ ? "},\"done\":false}\n" : ",\"done\":false}\n";
    }

    void end(std::string& out, const Timing& timing) override {
        open(out, "");
        out += chat_ ? "\"}" : "\"";
        append_done(out, timing);
        out += "}\n";
    }

    void error(std::string& out, std::string_view message) override {
        out += error_body(Family::native, 500, message);
        out += '\n';
    }

    void full(std::string& out, const Timing& timing) override {
        if (job_.is_embedding()) return embedding(out, timing);
        open(out, job_.tool ? "" : job_.answer.text());
        out += "\"";
        if (job_.tool) append_tool(out);
        if (chat_) out += "}";
        append_done(out, timing);
        out += "}";
    }

  private:
    /// Up to and into the text, whose closing quote is the caller's.
    void open(std::string& out, std::string_view text) {
        out += before_stamp_;
        state_.stamps.append(out, std::chrono::system_clock::now());
        out += chat_ ? R"(","message":{"role":"assistant","content":")" : R"(","response":")";
        append_escaped(out, text);
    }

    void append_tool(std::string& out) {
        Json function = {{"name", job_.tool->name}, {"arguments", job_.tool->arguments}};
        out += R"(,"tool_calls":)";
        dump(out, Json::array({{{"function", std::move(function)}}}));
    }

    void append_done(std::string& out, const Timing& timing) {
        const auto number = [&out](std::string_view key, std::int64_t value) {
            out.append(",\"").append(key).append("\":").append(std::to_string(value));
        };
        out += R"(,"done":true,"done_reason":)";
        out += job_.answer.cut_short() ? "\"length\"" : "\"stop\"";
        if (!chat_) out += R"(,"context":[1,2,3])";
        number("total_duration", nanos(timing.total()));
        number("load_duration", nanos(timing.load));
        number("prompt_eval_count", job_.prompt_tokens);
        number("prompt_eval_duration", nanos(timing.prompt));
        number("eval_count", job_.pieces());
        number("eval_duration", nanos(timing.eval));
    }

    void embedding(std::string& out, const Timing& timing) {
        if (job_.dialect == Dialect::ollama_embeddings) {
            return dump(out, {{"embedding", embedding_of(job_.inputs.front(), job_.dimensions)}});
        }
        Json vectors = Json::array();
        for (const std::string& input : job_.inputs) {
            vectors.push_back(embedding_of(input, job_.dimensions));
        }
        dump(out, {{"model", job_.model},
                   {"embeddings", std::move(vectors)},
                   {"total_duration", nanos(timing.total())},
                   {"load_duration", nanos(timing.load)},
                   {"prompt_eval_count", job_.prompt_tokens}});
    }

    bool chat_;
    std::string before_stamp_;
};

}  // namespace

std::unique_ptr<Renderer> make_native_renderer(const Job& job, State& state, std::uint64_t number) {
    return std::make_unique<NativeRenderer>(job, state, number);
}

}  // namespace ollama_proxy::demo
