#include "running_demo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ollama_proxy::demo {
namespace {

using support::http_get;
using support::http_post;
using support::HttpReply;
using support::RawClient;

constexpr auto kChat =
    R"({"model":"qwen2.5:0.5b","messages":[{"role":"user","content":"hello \"you\""}]})";

TEST(DemoNative, SaysThatOllamaIsRunning) {
    RunningDemo demo;
    const HttpReply get = http_get(demo.port(), "/");
    EXPECT_EQ(get.status, 200);
    EXPECT_EQ(get.body, "Ollama is running");
    const HttpReply head = RawClient(demo.port()).request("HEAD", "/");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("Content-Length"), "17");
}

TEST(DemoNative, StreamsAChatWithOneChunkPerTokenAndItsStatistics) {
    RunningDemo demo;
    const HttpReply reply = http_post(demo.port(), "/api/chat", kChat);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Content-Type"), "application/x-ndjson");
    EXPECT_TRUE(reply.clean_end);
    const auto lines = lines_of(reply.body);
    ASSERT_EQ(lines.size(), 13U);  // 12 tokens and the end
    EXPECT_EQ(reply.pieces.size(), 13U);
    std::string text;
    for (const auto& line : lines) text += line["message"]["content"].get<std::string>();
    EXPECT_THAT(text, testing::HasSubstr("Unit (demo) to \"hello \"you\"\""));
    EXPECT_EQ(lines[0]["model"], "qwen2.5:0.5b");
    EXPECT_THAT(lines[0]["created_at"].get<std::string>(), testing::MatchesRegex("....-..-..T.*Z"));
    EXPECT_EQ(lines[0]["done"], false);
    const auto& last = lines.back();
    EXPECT_EQ(last["done"], true);
    EXPECT_EQ(last["done_reason"], "stop");
    EXPECT_EQ(last["eval_count"], 12);
    for (const char* key : {"total_duration", "load_duration", "prompt_eval_count",
                            "prompt_eval_duration", "eval_duration"}) {
        EXPECT_TRUE(last[key].is_number()) << key;
    }
    EXPECT_EQ(demo.server.requests(), 1U);
    EXPECT_EQ(demo.server.cancelled(), 0U);
}

TEST(DemoNative, GivesTheSameTextWholeAndStreamed) {
    RunningDemo demo;
    const HttpReply streamed =
        http_post(demo.port(), "/api/generate", R"({"model":"llama3","prompt":"why"})");
    const HttpReply whole = http_post(demo.port(), "/api/generate",
                                      R"({"model":"llama3","prompt":"why","stream":false})");
    std::string text;
    for (const auto& line : lines_of(streamed.body)) text += line["response"].get<std::string>();
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(json_of(whole)["response"], text);
    EXPECT_EQ(json_of(whole)["model"], "llama3");
    EXPECT_TRUE(json_of(whole)["context"].is_array());
    EXPECT_EQ(whole.header("Content-Type"), "application/json; charset=utf-8");
}

TEST(DemoNative, StopsAtNumPredict) {
    RunningDemo demo;
    const auto body = json_of(http_post(
        demo.port(), "/api/generate",
        R"({"model":"llama3","prompt":"why","stream":false,"options":{"num_predict":3}})"));
    EXPECT_EQ(body["response"], "Simulated answer from");
    EXPECT_EQ(body["done_reason"], "length");
    EXPECT_EQ(body["eval_count"], 3);
}

TEST(DemoNative, AnswersInJsonAndInASchema) {
    RunningDemo demo;
    const auto plain =
        json_of(http_post(demo.port(), "/api/generate",
                          R"({"model":"llama3","prompt":"x","stream":false,"format":"json"})"));
    EXPECT_TRUE(nlohmann::json::parse(plain["response"].get<std::string>()).is_object());
    const auto shaped = json_of(
        http_post(demo.port(), "/api/chat",
                  R"({"model":"llama3","messages":[{"role":"user","content":"x"}],"stream":false,
            "format":{"type":"object","properties":{"age":{"type":"integer"}}}})"));
    EXPECT_EQ(shaped["message"]["content"], R"({"age":1})");
}

TEST(DemoNative, CallsAToolThatThePromptNames) {
    RunningDemo demo;
    const auto body = json_of(http_post(
        demo.port(), "/api/chat",
        R"({"model":"llama3","stream":false,"messages":[{"role":"user","content":"use get_time"}],
            "tools":[{"type":"function","function":{"name":"get_time","parameters":
            {"type":"object","properties":{"zone":{"type":"string"}}}}}]})"));
    const auto& call = body["message"]["tool_calls"][0]["function"];
    EXPECT_EQ(call["name"], "get_time");
    EXPECT_EQ(call["arguments"]["zone"], "demo");
}

TEST(DemoNative, RefusesInOllamasShape) {
    RunningDemo demo;
    const HttpReply unknown = http_post(demo.port(), "/api/chat", R"({"model":"nope"})");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(unknown.body, R"({"error":"model 'nope' not found"})");
    EXPECT_EQ(http_post(demo.port(), "/api/chat", "").status, 400);
    EXPECT_EQ(http_post(demo.port(), "/api/chat", "{").status, 400);
    EXPECT_EQ(http_get(demo.port(), "/api/nothing").status, 404);
    const HttpReply verb = http_get(demo.port(), "/api/chat");
    EXPECT_EQ(verb.status, 405);
    EXPECT_EQ(verb.header("Allow"), "POST");
    EXPECT_EQ(demo.server.requests(), 0U);
}

TEST(DemoNative, LoadsAndUnloadsWithoutAPrompt) {
    RunningDemo demo;
    RawClient client(demo.port());
    EXPECT_EQ(json_of(client.get("/api/ps"))["models"].size(), 0U);
    const auto loaded = json_of(client.post("/api/generate", R"({"model":"llama3"})"));
    EXPECT_EQ(loaded["done_reason"], "load");
    const auto running = json_of(client.get("/api/ps"))["models"];
    ASSERT_EQ(running.size(), 1U);
    EXPECT_EQ(running[0]["name"], "llama3:latest");
    EXPECT_TRUE(running[0].contains("expires_at"));
    const auto unloaded =
        json_of(client.post("/api/generate", R"({"model":"llama3","keep_alive":0})"));
    EXPECT_EQ(unloaded["done_reason"], "unload");
    EXPECT_EQ(json_of(client.get("/api/ps"))["models"].size(), 0U);
    EXPECT_EQ(demo.server.requests(), 0U);
}

TEST(DemoNative, TakesTheLoadTimeOnce) {
    DemoSettings settings = RunningDemo::quick();
    settings.load_ms = 60;
    RunningDemo demo(settings);
    RawClient client(demo.port());
    const std::string body = R"({"model":"llama3","prompt":"x","stream":false})";
    EXPECT_GE(json_of(client.post("/api/generate", body))["load_duration"].get<double>(), 60e6);
    EXPECT_LT(json_of(client.post("/api/generate", body))["load_duration"].get<double>(), 1e6);
}

TEST(DemoNative, ListsDescribesCopiesAndDeletesModels) {
    RunningDemo demo;
    RawClient client(demo.port());
    const auto tags = json_of(client.get("/api/tags"))["models"];
    ASSERT_EQ(tags.size(), 2U);
    EXPECT_EQ(tags[1]["name"], "qwen2.5:0.5b");
    EXPECT_EQ(tags[1]["size"], 397'821'319);
    EXPECT_EQ(tags[1]["digest"].get<std::string>().size(), 64U);
    EXPECT_EQ(tags[1]["details"]["family"], "qwen2");
    EXPECT_EQ(tags[1]["details"]["quantization_level"], "Q4_K_M");
    const auto show = json_of(client.post("/api/show", R"({"model":"LLAMA3"})"));
    EXPECT_EQ(show["details"]["format"], "gguf");
    EXPECT_TRUE(show["capabilities"].is_array());
    EXPECT_EQ(client.post("/api/copy", R"({"source":"llama3","destination":"mine"})").status, 200);
    EXPECT_EQ(json_of(client.get("/api/tags"))["models"].size(), 3U);
    EXPECT_EQ(client.request("DELETE", "/api/delete", R"({"model":"mine"})").status, 200);
    EXPECT_EQ(client.request("DELETE", "/api/delete", R"({"model":"mine"})").status, 404);
    EXPECT_EQ(json_of(client.get("/api/version"))["version"], "0.11.4");
}

TEST(DemoNative, PullsWithProgressAndPushesAndCreates) {
    RunningDemo demo;
    RawClient client(demo.port());
    const auto lines = lines_of(client.post("/api/pull", R"({"model":"new:1b"})").body);
    ASSERT_GT(lines.size(), 4U);
    EXPECT_EQ(lines.front()["status"], "pulling manifest");
    EXPECT_EQ(lines[1]["total"], 400'000'000);
    EXPECT_EQ(lines.back()["status"], "success");
    EXPECT_EQ(client.post("/api/show", R"({"model":"new:1b"})").status, 200);
    const auto quiet = client.post("/api/push", R"({"model":"new:1b","stream":false})");
    EXPECT_EQ(json_of(quiet)["status"], "success");
    EXPECT_EQ(client.post("/api/push", R"({"model":"nope"})").status, 404);
    EXPECT_EQ(lines_of(client.post("/api/create", R"({"model":"made"})").body).size(), 4U);
    EXPECT_EQ(client.post("/api/show", R"({"model":"made"})").status, 200);
}

TEST(DemoNative, TakesBlobsOfAnySizeAndFraming) {
    RunningDemo demo;
    RawClient client(demo.port());
    EXPECT_EQ(client.request("HEAD", "/api/blobs/sha256:aa").status, 404);
    const std::string big(3'000'000, 'x');
    EXPECT_EQ(client.post("/api/blobs/sha256:aa", big).status, 201);
    EXPECT_EQ(client.request("HEAD", "/api/blobs/sha256:aa").status, 200);
    const std::string framed = support::chunk_of(big) + support::chunk_of("");
    EXPECT_EQ(
        client.post("/api/blobs/sha256:bb", framed, {{"Transfer-Encoding", "chunked"}}).status,
        201);
    EXPECT_EQ(client.request("HEAD", "/api/blobs/sha256:bb").status, 200);
}

TEST(DemoNative, EmbedsDeterministically) {
    RunningDemo demo;
    RawClient client(demo.port());
    const auto many = json_of(client.post("/api/embed", R"({"model":"llama3","input":["a","b"]})"));
    ASSERT_EQ(many["embeddings"].size(), 2U);
    EXPECT_NE(many["embeddings"][0], many["embeddings"][1]);
    const auto one = json_of(client.post("/api/embeddings", R"({"model":"llama3","prompt":"a"})"));
    EXPECT_EQ(one["embedding"], many["embeddings"][0]);
}

}  // namespace
}  // namespace ollama_proxy::demo
