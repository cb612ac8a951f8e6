#include "ollama_proxy/codec/stream_watcher.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy::codec {
namespace {

TEST(InspectAnswer, ReadsAChatAnswer) {
    const AnswerFacts facts =
        inspect_answer(Api::chat_completions,
                       R"({"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":5,"completion_tokens":2}})");
    EXPECT_TRUE(facts.finished);
    EXPECT_FALSE(facts.error);
    EXPECT_EQ(facts.prompt_tokens, 5U);
    EXPECT_EQ(facts.completion_tokens, 2U);
}

TEST(InspectAnswer, ReadsAnOllamaAnswer) {
    const AnswerFacts facts = inspect_answer(
        Api::ollama_chat, R"({"message":{"content":"hi"},"done":true,"prompt_eval_count":5,
            "eval_count":2,"load_duration":3000000,"eval_duration":4000000})");
    EXPECT_TRUE(facts.finished);
    EXPECT_EQ(facts.prompt_tokens, 5U);
    EXPECT_EQ(facts.completion_tokens, 2U);
    EXPECT_EQ(facts.load_ms, 3.0);
    EXPECT_EQ(facts.eval_ms, 4.0);
}

TEST(InspectAnswer, ReadsTheOtherAnswers) {
    EXPECT_EQ(inspect_answer(Api::messages, R"({"type":"message","content":[{"text":"a"}],
        "usage":{"input_tokens":3,"output_tokens":4}})")
                  .completion_tokens,
              4U);
    const AnswerFacts responses = inspect_answer(
        Api::responses, R"({"error":null,"status":"completed","usage":{"input_tokens":3}})");
    EXPECT_TRUE(responses.finished);
    EXPECT_FALSE(responses.error);
    EXPECT_EQ(inspect_answer(Api::count_tokens, R"({"input_tokens":12})").prompt_tokens, 12U);
    EXPECT_TRUE(
        inspect_answer(Api::embeddings, R"({"data":[{"embedding":[0.1,-2e-3]}]})").finished);
}

TEST(InspectAnswer, FindsErrors) {
    for (const char* body : {R"({"error":"no"})", R"({"error":{"message":"no","code":"404"}})",
                             R"({"type":"error","error":{"type":"x","message":"no"}})"}) {
        for (const Api api : {Api::chat_completions, Api::messages, Api::ollama_embed}) {
            const AnswerFacts facts = inspect_answer(api, body);
            EXPECT_TRUE(facts.error) << body;
            EXPECT_EQ(facts.error_message, "no") << body;
            EXPECT_FALSE(facts.finished) << body;
        }
    }
    EXPECT_EQ(
        inspect_answer(Api::embeddings, R"({"error":{"message":"x","code":404}})").error_status,
        404);
}

TEST(InspectAnswer, TakesWhatIsNoJsonForAnError) {
    for (const char* body : {"", "<html>", "{\"a\":1", "{}x"}) {
        EXPECT_TRUE(inspect_answer(Api::chat_completions, body).error) << body;
    }
    EXPECT_FALSE(inspect_answer(Api::ollama_show, "{}").error);
}

TEST(InspectAnswer, DoesNotTakeDepthForAnError) {
    const std::string deep = "{\"data\":" + std::string(80, '[') + std::string(80, ']') + "}";
    EXPECT_FALSE(inspect_answer(Api::embeddings, deep).error);
}

}  // namespace
}  // namespace ollama_proxy::codec
