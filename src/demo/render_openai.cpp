#include "demo/renderer.hpp"

namespace ollama_proxy::demo {

namespace {

/// `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, as Ollama's `/v1` writes them.
class OpenAiRenderer final : public Renderer {
  public:
    OpenAiRenderer(const Job& job, State& state, std::uint64_t number)
        : Renderer(job, state, number), chat_(job.dialect == Dialect::chat_completions) {
        if (job.stream) prefix_ = common(chat_ ? "chat.completion.chunk" : "text_completion");
    }

    [[nodiscard]] std::string_view stream_type() const override { return "text/event-stream"; }
    void begin(std::string&) override {}

    void token(std::string& out, std::string_view text) override { event(out, text, "null"); }

    void tool(std::string& out) override {
        if (!chat_) return;
        Json call = tool_call();
        call["index"] = 0;
        out.append("data: ").append(prefix_);
        out += R"("choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":)";
        dump(out, Json::array({std::move(call)}));
        out += "},\"finish_reason\":null}]}\n\n";
    }

    void end(std::string& out, const Timing&) override {
        event(out, "", std::string("\"").append(finish()).append("\""));
        if (job_.include_usage) {
            out.append("data: ").append(prefix_).append(R"("choices":[],"usage":)");
            append_usage(out);
            out += "}\n\n";
        }
        out += "data: [DONE]\n\n";
    }

    void error(std::string& out, std::string_view message) override {
        out.append("data: ").append(error_body(Family::openai, 500, message)).append("\n\n");
    }

    void full(std::string& out, const Timing&) override {
        if (job_.is_embedding()) return embedding(out);
        out += common(chat_ ? "chat.completion" : "text_completion");
        const std::string text = job_.tool ? "" : job_.answer.text();
        if (chat_) {
            out += R"("choices":[{"index":0,"message":{"role":"assistant","content":)";
            append_quoted(out, text);
            if (job_.tool) {
                out += R"(,"tool_calls":)";
                dump(out, Json::array({tool_call()}));
            }
            out += R"(},"finish_reason":")";
        } else {
            out += R"("choices":[{"text":)";
            append_quoted(out, text);
            out += R"(,"index":0,"finish_reason":")";
        }
        out.append(finish()).append(R"("}],"usage":)");
        append_usage(out);
        out += "}";
    }

  private:
    /// The object's opening, up to `choices`.
    [[nodiscard]] std::string common(std::string_view object) const {
        std::string out = R"({"id":")" + id(chat_ ? "chatcmpl-" : "cmpl-");
        out.append(R"(","object":")").append(object).append(R"(","created":)");
        out.append(std::to_string(created())).append(R"(,"model":)");
        append_quoted(out, job_.model);
        out += R"(,"system_fingerprint":"fp_ollama",)";
        return out;
    }

    void event(std::string& out, std::string_view text, std::string_view finish_reason) {
        out.append("data: ").append(prefix_);
        out += chat_ ? R"("choices":[{"index":0,"delta":{"role":"assistant","content":")"
                     : R"("choices":[{"text":")";
        append_escaped(out, text);
        out += chat_ ? R"("},"finish_reason":)" : R"(","index":0,"finish_reason":)";
        out.append(finish_reason).append("}]}\n\n");
    }

    [[nodiscard]] std::string_view finish() const {
        if (job_.tool) return "tool_calls";
        return job_.answer.cut_short() ? "length" : "stop";
    }

    [[nodiscard]] Json tool_call() const {
        // `arguments` is JSON inside a string here, unlike in the native API.
        Json function = {{"name", job_.tool->name}, {"arguments", job_.tool->arguments.dump()}};
        return {{"id", id("call_")}, {"type", "function"}, {"function", std::move(function)}};
    }

    void append_usage(std::string& out) const {
        const int tokens = job_.pieces();
        out.append(R"({"prompt_tokens":)").append(std::to_string(job_.prompt_tokens));
        out.append(R"(,"completion_tokens":)").append(std::to_string(tokens));
        out.append(R"(,"total_tokens":)").append(std::to_string(job_.prompt_tokens + tokens));
        out.append("}");
    }

    void embedding(std::string& out) const {
        Json data = Json::array();
        for (const std::string& input : job_.inputs) {
            const std::vector<float> vector = embedding_of(input, job_.dimensions);
            Json item = {{"object", "embedding"}, {"embedding", nullptr}, {"index", data.size()}};
            item["embedding"] = job_.base64 ? Json(base64_of(vector)) : Json(vector);
            data.push_back(std::move(item));
        }
        dump(out,
             {{"object", "list"},
              {"data", std::move(data)},
              {"model", job_.model},
              {"usage",
               {{"prompt_tokens", job_.prompt_tokens}, {"total_tokens", job_.prompt_tokens}}}});
    }

    bool chat_;
    std::string prefix_;  ///< of every event of a stream
};

}  // namespace

std::unique_ptr<Renderer> make_openai_renderer(const Job& job, State& state, std::uint64_t number) {
    return std::make_unique<OpenAiRenderer>(job, state, number);
}

}  // namespace ollama_proxy::demo
