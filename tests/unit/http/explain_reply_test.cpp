#include "http/explain_reply.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::http {
namespace {

using codec::Api;
using nlohmann::json;
using ::testing::HasSubstr;

Api api_of(std::string_view query, std::string_view body) {
    const auto question = read_explain_question(query, body);
    EXPECT_TRUE(question) << body;
    return question ? question->api : Api::ollama_show;
}

TEST(Explain, TakesABodyOfAnyInferenceRoute) {
    EXPECT_EQ(api_of("", R"({"model":"m","messages":[{"role":"user","content":"x"}]})"),
              Api::chat_completions);
    EXPECT_EQ(api_of("", R"({"model":"m","prompt":"x"})"), Api::completions);
    EXPECT_EQ(api_of("", R"({"model":"m","input":["x"]})"), Api::embeddings);
    EXPECT_EQ(api_of("", R"({"model":"m"})"), Api::chat_completions);
}

TEST(Explain, TheQueryNamesTheRouteExactly) {
    EXPECT_EQ(api_of("route=/api/chat", R"({"model":"m"})"), Api::ollama_chat);
    EXPECT_EQ(api_of("a=b&route=%2Fv1%2Fmessages",
                     R"({"model":"m","messages":[{"role":"user","content":"x"}]})"),
              Api::messages);
    EXPECT_FALSE(read_explain_question("route=/backends", R"({"model":"m"})"));
    EXPECT_FALSE(read_explain_question("route=/v1/embeddings", R"({"model":"m"})"))
        << "that route wants an input";
}

TEST(Explain, ABadBodyIsRefusedAsOnTheRouteItself) {
    EXPECT_EQ(read_explain_question("", "nonsense").error().code, Errc::invalid_request);
    EXPECT_EQ(read_explain_question("", R"({"messages":[]})").error().param, "model");
}

TEST(Explain, ShowsEveryTermByNameAndTheRefusalInWords) {
    router::Explanation explanation;
    explanation.model = "m";
    explanation.backend = "a";
    explanation.reason = "balanced";
    explanation.mode = "Balanced";
    router::ExplainedCandidate a;
    a.backend = "a";
    a.score = 1.5;
    a.terms[static_cast<std::size_t>(router::Scorer::power)] = 0.5;
    router::ExplainedCandidate b;
    b.backend = "b";
    b.refusal = router::Refusal::over_watts;
    b.why = "55 W against 5 W";
    explanation.candidates = {a, b};
    const json reply = json::parse(explain_reply(explanation).body);
    EXPECT_EQ(reply["backend"], "a");
    EXPECT_EQ(reply["candidates"][0]["terms"]["power"], 0.5);
    EXPECT_EQ(reply["candidates"][0]["terms"].size(), router::kScorers);
    EXPECT_TRUE(reply["candidates"][0]["refusal"].is_null());
    EXPECT_TRUE(reply["candidates"][0]["estimated_power_watts"].is_null()) << "unknown is not 0";
    EXPECT_EQ(reply["candidates"][1]["refusal"], "over_watts");
    EXPECT_EQ(reply["candidates"][1]["refusal_text"], "55 W against 5 W");
    EXPECT_TRUE(reply["error"].is_null());
}

TEST(Explain, NobodyToServeIsNotAnErrorOfTheExplanation) {
    router::Explanation explanation;
    explanation.error = make_error(Errc::model_not_found, "nobody has it");
    const Reply reply = explain_reply(explanation);
    EXPECT_EQ(reply.status, 200);
    const json body = json::parse(reply.body);
    EXPECT_TRUE(body["backend"].is_null());
    EXPECT_EQ(body["error"]["status"], 404);
    EXPECT_EQ(body["error"]["code"], "model_not_found");
}

}  // namespace
}  // namespace ollama_proxy::http
