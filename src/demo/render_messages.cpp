#include "demo/renderer.hpp"

namespace ollama_proxy::demo {

namespace {

/// `/v1/messages`, Anthropic's dialect: content blocks inside a message.
class MessagesRenderer final : public Renderer {
  public:
    using Renderer::Renderer;

    [[nodiscard]] std::string_view stream_type() const override { return "text/event-stream"; }

    void begin(std::string& out) override {
        event(out, "message_start", {{"message", message(Json::array(), nullptr, 0)}});
        event(out, "content_block_start", {{"index", 0}, {"content_block", block("", false)}});
        event(out, "ping", Json::object());
    }

    void token(std::string& out, std::string_view text) override {
        event(out, "content_block_delta",
              {{"index", 0}, {"delta", {{"type", "text_delta"}, {"text", text}}}});
    }

    void tool(std::string& out) override {
        event(out, "content_block_delta",
              {{"index", 0},
               {"delta",
                {{"type", "input_json_delta"}, {"partial_json", job_.tool->arguments.dump()}}}});
    }

    void end(std::string& out, const Timing&) override {
        event(out, "content_block_stop", {{"index", 0}});
        event(out, "message_delta",
              {{"delta", {{"stop_reason", stop_reason()}, {"stop_sequence", nullptr}}},
               {"usage", {{"output_tokens", job_.pieces()}}}});
        event(out, "message_stop", Json::object());
    }

    void error(std::string& out, std::string_view text) override {
        out.append("event: error\ndata: ").append(error_body(Family::anthropic, 500, text));
        out += "\n\n";
    }

    void full(std::string& out, const Timing&) override {
        Json content = Json::array({block(job_.tool ? "" : job_.answer.text(), true)});
        dump(out, message(std::move(content), stop_reason(), job_.pieces()));
    }

  private:
    static void event(std::string& out, std::string_view type, const Json& fields) {
        Json body = {{"type", type}};
        body.update(fields);
        out.append("event: ").append(type).append("\ndata: ");
        dump(out, body);
        out += "\n\n";
    }

    /// The answer's only block; a tool's input comes with the deltas when it is streamed.
    [[nodiscard]] Json block(const std::string& text, bool whole) const {
        if (!job_.tool) return {{"type", "text"}, {"text", text}};
        return {{"type", "tool_use"},
                {"id", id("toolu_")},
                {"name", job_.tool->name},
                {"input", whole ? job_.tool->arguments : Json::object()}};
    }

    [[nodiscard]] Json stop_reason() const {
        if (job_.tool) return "tool_use";
        return job_.answer.cut_short() ? "max_tokens" : "end_turn";
    }

    [[nodiscard]] Json message(Json content, Json reason, int tokens) const {
        return {{"id", id("msg_")},
                {"type", "message"},
                {"role", "assistant"},
                {"model", job_.model},
                {"content", std::move(content)},
                {"stop_reason", std::move(reason)},
                {"stop_sequence", nullptr},
                {"usage", {{"input_tokens", job_.prompt_tokens}, {"output_tokens", tokens}}}};
    }
};

}  // namespace

std::unique_ptr<Renderer> make_messages_renderer(const Job& job, State& state,
                                                 std::uint64_t number) {
    return std::make_unique<MessagesRenderer>(job, state, number);
}

}  // namespace ollama_proxy::demo
