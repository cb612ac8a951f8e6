#include "ollama_proxy/codec/request_scan.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

RequestScan good(Api api, std::string_view body) {
    const Result<RequestScan> scan = scan_request(api, body);
    EXPECT_TRUE(scan.has_value()) << body << ": " << (scan ? "" : scan.error().message);
    return scan ? *scan : RequestScan{};
}

RequestScan chat(const std::string& members) {
    return good(Api::chat_completions,
                R"({"messages":[{"role":"user","content":"x"}],)" + members + "}");
}

std::string param_of(Api api, std::string_view body) {
    const Result<RequestScan> scan = scan_request(api, body);
    if (scan) return "accepted";
    EXPECT_EQ(scan.error().code, Errc::invalid_request);
    EXPECT_NE(scan.error().message, "");
    return scan.error().param;
}

TEST(RequestScan, ReadsModelStreamAndUsage) {
    const RequestScan scan =
        chat(R"("model":"llama3:8b","stream":true,"stream_options":{"include_usage":true})");
    EXPECT_EQ(scan.model, "llama3:8b");
    EXPECT_TRUE(scan.stream);
    EXPECT_TRUE(scan.include_usage);
    EXPECT_FALSE(chat(R"("model":"a")").stream);
    EXPECT_FALSE(chat(R"("model":"a","stream":null)").stream);
    EXPECT_FALSE(chat(R"("model":"a","stream_options":null)").include_usage);
}

TEST(RequestScan, FindsTheRawModelAmongLookAlikes) {
    const std::vector<std::string> rows = {
        R"({"messages":[{"model":"no"}],"model":"a\"b\\"})",
        R"({"x":{"model":"no","y":["model",{"model":"no"}]} , "model" :  "a\"b\\"   ,"messages":[1]})",
        R"({"model":"no","messages":["\"model\":\"no\""],"model":"a\"b\\","n":"model"})",
        R"({"messages":[1],"mod\u0065l":"a\"b\\"})",
        R"({"model":7,"messages":[1],"model":"a\u0022b\u005c"})",
        "{\"messages\":[1],\n\t\"model\"\r\n:\n\"a\\\"b\\\\\"\n}\n",
    };
    for (const std::string& body : rows) {
        const RequestScan scan = good(Api::chat_completions, body);
        EXPECT_EQ(scan.model, "a\"b\\") << body;
        const std::string raw = body.substr(scan.model_begin, scan.model_end - scan.model_begin);
        EXPECT_EQ(nlohmann::json::parse(raw), scan.model) << body;
        auto changed = nlohmann::json::parse(body);
        changed["model"] = "n\"ew";
        EXPECT_EQ(nlohmann::json::parse(replace_model(body, scan, "n\"ew")), changed) << body;
    }
}

TEST(RequestScan, FindsWhereTheTurnsOfTheConversationAre) {
    const auto said = [](const std::string& body) {
        const Conversation found = good(Api::chat_completions, body).conversation;
        return std::pair(
            body.substr(found.begin, found.end - found.begin),
            body.substr(found.begin,
                        found.before_answer > found.begin ? found.before_answer - found.begin : 0));
    };
    const std::string user = R"({"role":"user","content":"a"})";
    const std::string answer = R"({"content":"b","role":"assistant"})";
    const auto body = [](const std::string& messages) {
        return R"({"messages":)" + messages + R"(,"model":"m"})";
    };
    EXPECT_EQ(said(body("[ " + user + " ]")), std::pair(user, std::string()));
    EXPECT_EQ(said(body("[" + user + " , " + answer + ",[7]]")),
              std::pair(user + " , " + answer + ",[7]", user));
    EXPECT_EQ(said(body("[" + answer + "]")), std::pair(answer, std::string()));
    EXPECT_EQ(said(R"({"messages":[1,2],"model":"m","messages":["x"]})"),
              std::pair(std::string("\"x\""), std::string()))
        << "of a repeated key the last counts";
    const auto none = good(Api::ollama_chat, R"({"model":"m","messages":[]})").conversation;
    EXPECT_EQ(none.end, 0U);
    EXPECT_EQ(
        good(Api::ollama_chat, R"({"model":"m","messages":[1],"messages":7})").conversation.end,
        0U);
}

TEST(RequestScan, CountsARepeatedKeyWithItsLastValue) {
    EXPECT_EQ(chat(R"("model":"a","model":"b","stream":true,"stream":false)").model, "b");
    EXPECT_FALSE(chat(R"("model":"a","stream":true,"stream":false)").stream);
    EXPECT_EQ(param_of(Api::chat_completions, R"({"model":"a","messages":[1],"model":null})"),
              "model");
    EXPECT_EQ(param_of(Api::chat_completions, R"({"model":"a","messages":[1],"messages":1})"),
              "messages");
}

TEST(RequestScan, ReplacesOnlyTheModelsBytes) {
    const std::string body = "{ \"model\" : \"a\" , \"messages\":[1.50, 1e5] }";
    const RequestScan scan = good(Api::chat_completions, body);
    EXPECT_EQ(replace_model(body, scan, "b\xff"),
              "{ \"model\" : \"b\xef\xbf\xbd\" , \"messages\":[1.50, 1e5] }");
    EXPECT_EQ(replace_model(body, RequestScan{}, "b"), body);
}

TEST(RequestScan, StreamsOllamaChatAndGenerateUnlessToldOtherwise) {
    EXPECT_TRUE(good(Api::ollama_chat, R"({"model":"a"})").stream);
    EXPECT_TRUE(good(Api::ollama_generate, R"({"model":"a","stream":null})").stream);
    EXPECT_FALSE(good(Api::ollama_generate, R"({"model":"a","stream":false})").stream);
    EXPECT_FALSE(good(Api::ollama_embed, R"({"model":"a","stream":true})").stream);
    EXPECT_FALSE(good(Api::ollama_show, R"({"model":"a"})").stream);
    EXPECT_FALSE(good(Api::responses, R"({"model":"a","input":"x"})").stream);
    EXPECT_TRUE(good(Api::messages, R"({"model":"a","messages":[1],"stream":true})").stream);
}

TEST(RequestScan, TakesTheOldNameOnOllamaRoutesOnly) {
    const std::string body = R"({"name":"old","x":{"name":"no"}})";
    const RequestScan scan = good(Api::ollama_show, body);
    EXPECT_EQ(scan.model, "old");
    EXPECT_EQ(body.substr(scan.model_begin, scan.model_end - scan.model_begin), "\"old\"");
    EXPECT_EQ(good(Api::ollama_show, R"({"model":"","name":"old"})").model, "old");
    EXPECT_EQ(good(Api::ollama_show, R"({"model":"new","name":"old"})").model, "new");
    EXPECT_EQ(param_of(Api::ollama_show, R"({"model":"","name":7})"), "name");
    EXPECT_EQ(param_of(Api::chat_completions, R"({"name":"old","messages":[1]})"), "model");
}

TEST(RequestScan, KnowsLoadAndUnload) {
    const auto scan = [](const std::string& rest) {
        return good(Api::ollama_generate, R"({"model":"a")" + rest + "}");
    };
    EXPECT_FALSE(scan("").has_prompt);
    EXPECT_FALSE(scan(R"(,"prompt":"")").has_prompt);
    EXPECT_FALSE(scan(R"(,"prompt":null,"images":[])").has_prompt);
    EXPECT_TRUE(scan(R"(,"prompt":"x")").has_prompt);
    EXPECT_TRUE(scan(R"(,"images":["eA=="])").has_prompt);
    EXPECT_TRUE(good(Api::ollama_chat, R"({"model":"a"})").has_prompt);
    for (const char* zero : {"0", "0.0", "-0", "\"0\"", "\"0s\"", "\"0m0s\""}) {
        EXPECT_TRUE(scan(std::string(",\"keep_alive\":") + zero).keep_alive_zero) << zero;
    }
    for (const char* other : {"5", "-1", "\"5m\"", "\"10s\"", "\"\"", "null", "true", "0.5"}) {
        EXPECT_FALSE(scan(std::string(",\"keep_alive\":") + other).keep_alive_zero) << other;
    }
}

TEST(RequestScan, NamesTheFieldAtFault) {
    using A = Api;
    struct Row {
        Api api;
        std::string body;
        std::string param;
    };
    const std::vector<Row> rows = {
        {A::chat_completions, R"({"messages":[1]})", "model"},
        {A::chat_completions, R"({"model":7,"messages":[1]})", "model"},
        {A::chat_completions, R"({"model":"","messages":[1]})", "model"},
        {A::chat_completions, R"({"model":"a\n","messages":[1]})", "model"},
        {A::chat_completions, R"({"model":"a\u0000","messages":[1]})", "model"},
        {A::chat_completions, R"({"model":")" + std::string(513, 'a') + R"(","messages":[1]})",
         "model"},
        {A::chat_completions, R"({"model":"a"})", "messages"},
        {A::chat_completions, R"({"model":"a","messages":null})", "messages"},
        {A::chat_completions, R"({"model":"a","messages":"x"})", "messages"},
        {A::chat_completions, R"({"model":"a","messages":[ ]})", "messages"},
        {A::chat_completions, R"({"model":"a","messages":[1],"stream":"true"})", "stream"},
        {A::chat_completions, R"({"model":"a","messages":[1],"stream":1})", "stream"},
        {A::completions, R"({"model":"a"})", "prompt"},
        {A::completions, R"({"model":"a","prompt":7})", "prompt"},
        {A::embeddings, R"({"model":"a"})", "input"},
        {A::embeddings, R"({"model":"a","input":{}})", "input"},
        {A::responses, R"({"model":"a"})", "input"},
        {A::messages, R"({"model":"a"})", "messages"},
        {A::count_tokens, R"({"model":"a"})", "messages"},
        {A::ollama_chat, R"({"messages":[1]})", "model"},
        {A::ollama_chat, R"({"model":["a"]})", "model"},
        {A::ollama_chat, R"({"model":"a","stream":"no"})", "stream"},
    };
    for (const Row& row : rows) EXPECT_EQ(param_of(row.api, row.body), row.param) << row.body;
    good(A::completions, R"({"model":"a","prompt":["x"]})");
    good(A::embeddings, R"({"model":"a","input":["x"]})");
    good(A::responses, R"({"model":"a","input":[{}]})");
    good(A::ollama_embed, R"({"model":"a"})");
}

TEST(RequestScan, RefusesBodiesThatAreNoJsonObject) {
    using namespace std::string_literals;
    const std::string rest = R"("model":"a","messages":[1])";
    for (const std::string& body : std::vector<std::string>{
             "", "  ", "null", "[]", "\"x\"", "{", "{" + rest, "{" + rest + "}x",
             "{" + rest + "}{}", "{" + rest + ",}", "{" + rest + ",\"x\":\"\xff\"}",
             "{" + rest + ",\"x\":\"\xc3\"}", "{" + rest + ",\"x\":\"\xed\xa0\x80\"}",
             "{" + rest + ",\"x\":NaN}", "{" + rest + "}\0"s, "\xef\xbb\xbf{" + rest + "}",
             "{" + rest + ",\"x\":" + std::string(64, '[') + std::string(64, ']') + "}"}) {
        EXPECT_EQ(param_of(Api::chat_completions, body), "") << body;
    }
    chat("\"model\":\"a\",\"x\":" + std::string(63, '[') + std::string(63, ']'));
}

TEST(RequestScan, LeavesNumbersAndLongTextAlone) {
    chat(R"("model":"a","seed":123456789012345678901234567890,"x":1e999)");
    EXPECT_EQ(chat("\"x\":\"" + std::string(3'000'000, 'y') + "\",\"model\":\"a\"").model, "a");
}

TEST(ApiPath, IsThePathOfTheRoute) {
    EXPECT_EQ(path_of(Api::chat_completions), "/v1/chat/completions");
    EXPECT_EQ(path_of(Api::completions), "/v1/completions");
    EXPECT_EQ(path_of(Api::embeddings), "/v1/embeddings");
    EXPECT_EQ(path_of(Api::responses), "/v1/responses");
    EXPECT_EQ(path_of(Api::messages), "/v1/messages");
    EXPECT_EQ(path_of(Api::count_tokens), "/v1/messages/count_tokens");
    EXPECT_EQ(path_of(Api::ollama_chat), "/api/chat");
    EXPECT_EQ(path_of(Api::ollama_generate), "/api/generate");
    EXPECT_EQ(path_of(Api::ollama_embed), "/api/embed");
    EXPECT_EQ(path_of(Api::ollama_embeddings), "/api/embeddings");
    EXPECT_EQ(path_of(Api::ollama_show), "/api/show");
}

}  // namespace
}  // namespace ollama_proxy::codec
