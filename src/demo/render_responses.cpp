#include "demo/renderer.hpp"

namespace ollama_proxy::demo {

namespace {

/// `/v1/responses`: named events, each with a running number.
class ResponsesRenderer final : public Renderer {
  public:
    using Renderer::Renderer;

    [[nodiscard]] std::string_view stream_type() const override { return "text/event-stream"; }

    void begin(std::string& out) override {
        event(out, "response.created", {{"response", response("in_progress", Json::array())}});
        event(out, "response.in_progress", {{"response", response("in_progress", Json::array())}});
        event(out, "response.output_item.added",
              {{"output_index", 0},
               {"item", job_.tool ? call("in_progress", "") : message("in_progress", nullptr)}});
        if (job_.tool) return;
        event(out, "response.content_part.added", at({{"part", part("")}}));
    }

    void token(std::string& out, std::string_view text) override {
        event(out, "response.output_text.delta",
              at({{"delta", text}, {"logprobs", Json::array()}}));
    }

    void tool(std::string& out) override {
        const std::string arguments = job_.tool->arguments.dump();
        event(out, "response.function_call_arguments.delta",
              {{"item_id", item_id()}, {"output_index", 0}, {"delta", arguments}});
        event(out, "response.function_call_arguments.done",
              {{"item_id", item_id()},
               {"output_index", 0},
               {"name", job_.tool->name},
               {"arguments", arguments}});
    }

    void end(std::string& out, const Timing&) override {
        if (!job_.tool) {
            const std::string text = job_.answer.text();
            event(out, "response.output_text.done",
                  at({{"text", text}, {"logprobs", Json::array()}}));
            event(out, "response.content_part.done", at({{"part", part(text)}}));
        }
        event(out, "response.output_item.done", {{"output_index", 0}, {"item", finished_item()}});
        event(out, job_.answer.cut_short() ? "response.incomplete" : "response.completed",
              {{"response", finished()}});
    }

    void error(std::string& out, std::string_view text) override {
        event(out, "error", {{"code", "server_error"}, {"message", text}, {"param", nullptr}});
    }

    void full(std::string& out, const Timing&) override { dump(out, finished()); }

  private:
    void event(std::string& out, std::string_view type, Json fields) {
        Json body = {{"type", type}, {"sequence_number", sequence_++}};
        body.update(fields);
        out.append("event: ").append(type).append("\ndata: ");
        dump(out, body);
        out += "\n\n";
    }

    [[nodiscard]] std::string item_id() const { return id(job_.tool ? "fc_" : "msg_"); }

    [[nodiscard]] Json at(const Json& fields) const {
        Json out = {{"item_id", item_id()}, {"output_index", 0}, {"content_index", 0}};
        out.update(fields);
        return out;
    }

    [[nodiscard]] static Json part(const std::string& text) {
        return {{"type", "output_text"},
                {"text", text},
                {"annotations", Json::array()},
                {"logprobs", Json::array()}};
    }

    [[nodiscard]] Json message(std::string_view status, const std::string* text) const {
        Json content = Json::array();
        if (text != nullptr) content.push_back(part(*text));
        return {{"id", item_id()},
                {"type", "message"},
                {"status", status},
                {"role", "assistant"},
                {"content", std::move(content)}};
    }

    [[nodiscard]] Json call(std::string_view status, const std::string& arguments) const {
        return {{"id", item_id()},        {"type", "function_call"}, {"status", status},
                {"call_id", id("call_")}, {"name", job_.tool->name}, {"arguments", arguments}};
    }

    [[nodiscard]] Json finished_item() const {
        if (job_.tool) return call("completed", job_.tool->arguments.dump());
        const std::string text = job_.answer.text();
        return message(job_.answer.cut_short() ? "incomplete" : "completed", &text);
    }

    [[nodiscard]] Json finished() const {
        Json out = response(job_.answer.cut_short() ? "incomplete" : "completed",
                            Json::array({finished_item()}));
        if (job_.answer.cut_short()) out["incomplete_details"] = {{"reason", "max_output_tokens"}};
        out["usage"] = {{"input_tokens", job_.prompt_tokens},
                        {"input_tokens_details", {{"cached_tokens", 0}}},
                        {"output_tokens", job_.pieces()},
                        {"output_tokens_details", {{"reasoning_tokens", 0}}},
                        {"total_tokens", job_.prompt_tokens + job_.pieces()}};
        return out;
    }

    [[nodiscard]] Json response(std::string_view status, Json output) const {
        return {{"id", id("resp_")},
                {"object", "response"},
                {"created_at", created()},
                {"status", status},
                {"error", nullptr},
                {"incomplete_details", nullptr},
                {"instructions", nullptr},
                {"max_output_tokens", nullptr},
                {"model", job_.model},
                {"output", std::move(output)},
                {"parallel_tool_calls", true},
                {"previous_response_id", nullptr},
                {"store", false},
                {"temperature", 1},
                {"text", {{"format", {{"type", "text"}}}}},
                {"tool_choice", "auto"},
                {"tools", Json::array()},
                {"top_p", 1},
                {"truncation", "disabled"},
                {"usage", nullptr},
                {"metadata", Json::object()}};
    }

    int sequence_ = 0;
};

}  // namespace

std::unique_ptr<Renderer> make_responses_renderer(const Job& job, State& state,
                                                  std::uint64_t number) {
    return std::make_unique<ResponsesRenderer>(job, state, number);
}

}  // namespace ollama_proxy::demo
