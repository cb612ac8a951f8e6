#include "running_demo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ollama_proxy::demo {
namespace {

using support::http_get;
using support::http_post;
using support::HttpReply;
using support::RawClient;

std::string chat(const std::string& more = "") {
    return R"({"model":"llama3","messages":[{"role":"user","content":"hi"}])" + more + "}";
}

TEST(DemoOpenAi, AnswersAChatWhole) {
    RunningDemo demo;
    const auto body = json_of(http_post(demo.port(), "/v1/chat/completions", chat()));
    EXPECT_EQ(body["object"], "chat.completion");
    EXPECT_EQ(body["system_fingerprint"], "fp_ollama");
    EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(body["choices"][0]["message"]["role"], "assistant");
    EXPECT_EQ(body["usage"]["completion_tokens"], 12);
    EXPECT_EQ(body["usage"]["total_tokens"], 12 + body["usage"]["prompt_tokens"].get<int>());
}

TEST(DemoOpenAi, StreamsAChatThatEndsWithDone) {
    RunningDemo demo;
    const HttpReply reply =
        http_post(demo.port(), "/v1/chat/completions", chat(R"(,"stream":true)"));
    EXPECT_EQ(reply.header("Content-Type"), "text/event-stream");
    const auto events = events_of(reply.body);
    ASSERT_EQ(events.size(), 14U);  // 12 tokens, the finish, [DONE]
    EXPECT_EQ(events.back(), "[DONE]");
    const auto first = nlohmann::json::parse(events[0]);
    EXPECT_EQ(first["object"], "chat.completion.chunk");
    EXPECT_EQ(first["choices"][0]["delta"]["content"], "Simulated");
    EXPECT_TRUE(first["choices"][0]["finish_reason"].is_null());
    EXPECT_EQ(nlohmann::json::parse(events[12])["choices"][0]["finish_reason"], "stop");
}

TEST(DemoOpenAi, IncludesUsageWhenAsked) {
    RunningDemo demo;
    const auto events =
        events_of(http_post(demo.port(), "/v1/chat/completions",
                            chat(R"(,"stream":true,"stream_options":{"include_usage":true})"))
                      .body);
    ASSERT_GT(events.size(), 2U);
    const auto usage = nlohmann::json::parse(events[events.size() - 2]);
    EXPECT_TRUE(usage["choices"].empty());
    EXPECT_EQ(usage["usage"]["completion_tokens"], 12);
}

TEST(DemoOpenAi, CallsTheRequiredTool) {
    RunningDemo demo;
    const std::string tools =
        R"(,"tool_choice":"required","tools":[{"type":"function","function":{"name":"add",)"
        R"("parameters":{"type":"object","properties":{"n":{"type":"number"}}}}}])";
    const auto whole = json_of(http_post(demo.port(), "/v1/chat/completions", chat(tools)));
    EXPECT_EQ(whole["choices"][0]["finish_reason"], "tool_calls");
    const auto& call = whole["choices"][0]["message"]["tool_calls"][0];
    EXPECT_EQ(call["function"]["name"], "add");
    EXPECT_EQ(call["function"]["arguments"], R"({"n":1})");
    const auto events = events_of(
        http_post(demo.port(), "/v1/chat/completions", chat(tools + R"(,"stream":true)")).body);
    ASSERT_EQ(events.size(), 3U);
    const auto delta = nlohmann::json::parse(events[0])["choices"][0]["delta"];
    EXPECT_EQ(delta["tool_calls"][0]["index"], 0);
    EXPECT_EQ(delta["tool_calls"][0]["function"]["name"], "add");
}

TEST(DemoOpenAi, AnswersInJsonAndHonoursMaxTokens) {
    RunningDemo demo;
    const auto structured = json_of(http_post(
        demo.port(), "/v1/chat/completions", chat(R"(,"response_format":{"type":"json_object"})")));
    const std::string text = structured["choices"][0]["message"]["content"];
    EXPECT_TRUE(nlohmann::json::parse(text).is_object()) << text;
    const auto cut =
        json_of(http_post(demo.port(), "/v1/chat/completions", chat(R"(,"max_tokens":2)")));
    EXPECT_EQ(cut["choices"][0]["message"]["content"], "Simulated answer");
    EXPECT_EQ(cut["choices"][0]["finish_reason"], "length");
}

TEST(DemoOpenAi, CompletesText) {
    RunningDemo demo;
    const auto body =
        json_of(http_post(demo.port(), "/v1/completions", R"({"model":"llama3","prompt":"once"})"));
    EXPECT_EQ(body["object"], "text_completion");
    EXPECT_THAT(body["choices"][0]["text"].get<std::string>(), testing::HasSubstr("\"once\""));
    const auto events = events_of(http_post(demo.port(), "/v1/completions",
                                            R"({"model":"llama3","prompt":"once","stream":true})")
                                      .body);
    ASSERT_EQ(events.size(), 14U);
    EXPECT_EQ(nlohmann::json::parse(events[1])["choices"][0]["text"], " answer");
}

TEST(DemoOpenAi, EmbedsAsFloatsAndAsBase64) {
    RunningDemo demo;
    RawClient client(demo.port());
    const auto floats =
        json_of(client.post("/v1/embeddings", R"({"model":"llama3","input":"a","dimensions":2})"));
    ASSERT_EQ(floats["data"][0]["embedding"].size(), 2U);
    const auto packed = json_of(client.post(
        "/v1/embeddings",
        R"({"model":"llama3","input":["a",[1,2]],"dimensions":2,"encoding_format":"base64"})"));
    ASSERT_EQ(packed["data"].size(), 2U);
    EXPECT_EQ(packed["data"][0]["embedding"].get<std::string>().size(), 12U);  // 8 bytes
    EXPECT_EQ(packed["data"][1]["index"], 1);
}

TEST(DemoOpenAi, ListsAndRetrievesModels) {
    RunningDemo demo;
    RawClient client(demo.port());
    const auto list = json_of(client.get("/v1/models"));
    EXPECT_EQ(list["object"], "list");
    EXPECT_EQ(list["data"][0]["id"], "llama3:latest");
    EXPECT_EQ(json_of(client.get("/v1/models/qwen2.5%3A0.5b"))["id"], "qwen2.5:0.5b");
    const auto missing = client.get("/v1/models/nope");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(missing.body,
              R"({"error":{"message":"model 'nope' not found","type":"not_found_error",)"
              R"("param":null,"code":null}})");
}

TEST(DemoOpenAi, HasResponsesAndMessagesOnlyWhenAsked) {
    RunningDemo plain;
    EXPECT_EQ(http_post(plain.port(), "/v1/responses", "{}").status, 404);
    EXPECT_EQ(http_post(plain.port(), "/v1/messages", "{}").status, 404);

    DemoSettings settings = RunningDemo::quick();
    settings.has_responses_and_messages = true;
    RunningDemo demo(settings);
    RawClient client(demo.port());
    const auto response =
        json_of(client.post("/v1/responses", R"({"model":"llama3","input":"hi"})"));
    EXPECT_EQ(response["status"], "completed");
    EXPECT_EQ(response["output"][0]["content"][0]["type"], "output_text");
    const auto message = json_of(client.post("/v1/messages", chat(R"(,"max_tokens":2)")));
    EXPECT_EQ(message["content"][0]["text"], "Simulated answer");
    EXPECT_EQ(message["stop_reason"], "max_tokens");
    EXPECT_EQ(json_of(client.post("/v1/messages/count_tokens", chat()))["input_tokens"], 1);
    const auto wrong = client.post("/v1/messages", R"({"model":"x","messages":[{}]})");
    EXPECT_EQ(json_of(wrong)["error"]["type"], "not_found_error");
    EXPECT_EQ(json_of(wrong)["type"], "error");
}

TEST(DemoOpenAi, StreamsResponsesAndMessagesInTheirEventOrder) {
    DemoSettings settings = RunningDemo::quick();
    settings.has_responses_and_messages = true;
    settings.tokens = 2;
    RunningDemo demo(settings);
    const auto types = [](const std::string& body) {
        std::vector<std::string> out;
        for (const auto& event : events_of(body)) {
            out.push_back(nlohmann::json::parse(event)["type"]);
        }
        return out;
    };
    RawClient client(demo.port());
    EXPECT_THAT(
        types(client.post("/v1/responses", R"({"model":"llama3","input":"x","stream":true})").body),
        testing::ElementsAre("response.created", "response.in_progress",
                             "response.output_item.added", "response.content_part.added",
                             "response.output_text.delta", "response.output_text.delta",
                             "response.output_text.done", "response.content_part.done",
                             "response.output_item.done", "response.completed"));
    EXPECT_THAT(types(client.post("/v1/messages", chat(R"(,"stream":true)")).body),
                testing::ElementsAre("message_start", "content_block_start", "ping",
                                     "content_block_delta", "content_block_delta",
                                     "content_block_stop", "message_delta", "message_stop"));
}

}  // namespace
}  // namespace ollama_proxy::demo
