#include "http/websocket/messages.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::http {
namespace {

using Json = nlohmann::json;

ClientMessage read(const std::string& text, const router::RoutingHints& hints = {}) {
    auto message = read_client_message(text, hints);
    EXPECT_TRUE(message) << (message ? "" : message.error().error.message);
    return message ? *message : ClientMessage{};
}

TEST(WebSocketMessage, ReadsTheExampleOfTheReadme) {
    const ClientMessage message = read(R"({"request_id":"voice-001","model":"qwen2.5:0.5b",
        "prompt":"Transcribe: Hello world","stream":true,"priority":"critical",
        "max_latency_ms":50})");
    EXPECT_EQ(message.kind, ClientMessage::Kind::request);
    EXPECT_EQ(message.request_id, "voice-001");
    EXPECT_EQ(message.generation.model, "qwen2.5:0.5b");
    EXPECT_EQ(message.generation.prompt, "Transcribe: Hello world");
    EXPECT_TRUE(message.stream);
    EXPECT_EQ(message.hints.priority, router::Priority::critical);
    EXPECT_EQ(message.hints.max_latency_ms, 50);
}

TEST(WebSocketMessage, ReadsEveryOption) {
    const auto options = read(R"({"model":"m","prompt":"p","options":{"temperature":0.5,
        "top_p":1,"top_k":40,"max_tokens":7.0,"seed":-3,"stop":["a","b"],"unknown":1}})")
                             .generation.options;
    EXPECT_EQ(options.temperature, 0.5);
    EXPECT_EQ(options.top_p, 1.0);
    EXPECT_EQ(options.top_k, 40);
    EXPECT_EQ(options.max_tokens, 7);
    EXPECT_EQ(options.seed, -3);
    EXPECT_EQ(options.stop, (std::vector<std::string>{"a", "b"}));
}

TEST(WebSocketMessage, NullIsNotGiven) {
    const ClientMessage message = read(
        R"({"request_id":null,"model":"m","prompt":"p","messages":null,"stream":null,
            "options":null,"annotations":null,"priority":null})");
    EXPECT_TRUE(message.stream);
    EXPECT_EQ(message.request_id, "");
    EXPECT_EQ(message.hints.priority, router::Priority::normal);
}

TEST(WebSocketMessage, KeepsTheHintsOfTheHandshakeWhereItSaysNothing) {
    router::RoutingHints hints;
    hints.target = "a";
    hints.priority = router::Priority::high;
    const ClientMessage message = read(
        R"({"model":"m","prompt":"p","annotations":{"priority":"0"},"session_id":"s"})", hints);
    EXPECT_EQ(message.hints.target, "a");
    EXPECT_EQ(message.hints.priority, router::Priority::best_effort);
    EXPECT_EQ(message.hints.session_id, "s");
}

TEST(WebSocketMessage, ReadsACancel) {
    const ClientMessage message = read(R"({"type":"cancel","request_id":"x"})");
    EXPECT_EQ(message.kind, ClientMessage::Kind::cancel);
    EXPECT_EQ(message.request_id, "x");
}

TEST(WebSocketMessage, TellsTheIdOfWhatItRefuses) {
    const auto bad = read_client_message(R"({"request_id":"x","model":1})", {});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().request_id, "x");
    EXPECT_EQ(bad.error().error.code, Errc::invalid_request);
    EXPECT_EQ(bad.error().error.param, "model");
}

TEST(WebSocketAnswer, WritesPiecesWithTheirTime) {
    AnswerWriter writer("a\"b");
    writer.set_first_token(12.3456);
    std::vector<std::string> pieces;
    writer.append_pieces("hi\n", "hm", pieces);
    ASSERT_EQ(pieces.size(), 2U);
    EXPECT_EQ(
        Json::parse(pieces[0]),
        Json::parse(R"({"request_id":"a\"b","thinking":"hm","done":false,"ttft_ms":12.346})"));
    EXPECT_EQ(Json::parse(pieces[1]),
              Json::parse(R"({"request_id":"a\"b","token":"hi\n","done":false,"ttft_ms":12.346})"));
    writer.append_pieces("", "", pieces);
    EXPECT_EQ(pieces.size(), 2U) << "empty text is no piece";
}

TEST(WebSocketAnswer, CutsALongTextBetweenCharacters) {
    std::string text;
    while (text.size() < 200000) text += "\xe2\x82\xac";  // three bytes each
    std::vector<std::string> pieces;
    AnswerWriter("r").append_pieces(text, {}, pieces);
    EXPECT_GT(pieces.size(), 3U);
    std::string joined;
    for (const std::string& piece : pieces) {
        EXPECT_LT(piece.size(), 66000U);
        joined += Json::parse(piece).at("token").get<std::string>();
    }
    EXPECT_EQ(joined, text);
}

TEST(WebSocketAnswer, WritesTheLastMessage) {
    AnswerWriter writer("r");
    writer.set_first_token(1.5);
    codec::AnswerSummary summary;
    summary.finish_reason = "stop";
    summary.content_events = 3;
    summary.prompt_tokens = 4;
    EXPECT_EQ(Json::parse(writer.last({summary, 20.25, "a", {}})),
              Json::parse(R"({"request_id":"r","token":"","done":true,"total_tokens":3,
                  "estimated":true,"prompt_tokens":4,"total_duration_ms":20.25,"ttft_ms":1.5,
                  "backend_id":"a","finish_reason":"stop","energy_j":null})"));
    summary.completion_tokens = 5;
    summary.finish_reason.clear();
    const Json known = Json::parse(writer.last({summary, 20.25, "a", 0.5}));
    EXPECT_EQ(known.at("total_tokens"), 5);
    EXPECT_FALSE(known.contains("estimated"));
    EXPECT_TRUE(known.at("finish_reason").is_null());
    EXPECT_EQ(known.at("energy_j"), 0.5);
}

TEST(WebSocketAnswer, WritesErrors) {
    Error error = make_error(Errc::queue_full, "full \xff");
    error.retry_after_s = 2;
    EXPECT_EQ(Json::parse(AnswerWriter({}).error(error)),
              Json::parse("{\"request_id\":null,\"error\":\"full \xef\xbf\xbd\","
                          "\"code\":\"queue_full\",\"retry_after_s\":2,\"done\":true}"));
}

}  // namespace
}  // namespace ollama_proxy::http
