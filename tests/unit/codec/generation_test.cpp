#include "ollama_proxy/codec/generation.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::codec {
namespace {

using Json = nlohmann::json;

GenerationRequest prompt(std::string text) {
    GenerationRequest request;
    request.model = "m";
    request.prompt = std::move(text);
    return request;
}

GenerationRequest chat() {
    GenerationRequest request;
    request.model = "m";
    request.messages = {{"system", "be brief", {}}, {"user", "hi", {}}};
    return request;
}

TEST(Generation, APromptGoesToGenerateOfOllama) {
    const auto written = write_ollama_generation(prompt("Say \"hi\"\n"));
    ASSERT_TRUE(written);
    EXPECT_EQ(written->api, Api::ollama_generate);
    EXPECT_EQ(Json::parse(written->body),
              Json::parse(R"({"model":"m","prompt":"Say \"hi\"\n","stream":true})"));
    EXPECT_EQ(written->scan.model, "m");
    EXPECT_TRUE(written->scan.stream);
    EXPECT_TRUE(written->scan.has_prompt);
}

TEST(Generation, APromptIsOneUserMessageElsewhereAndUsageIsAskedFor) {
    const auto written = write_openai_generation(prompt("hi"));
    ASSERT_TRUE(written);
    EXPECT_EQ(written->api, Api::chat_completions);
    EXPECT_EQ(Json::parse(written->body), Json::parse(R"({"model":"m",
        "messages":[{"role":"user","content":"hi"}],"stream":true,
        "stream_options":{"include_usage":true}})"));
    EXPECT_TRUE(written->scan.include_usage);
}

TEST(Generation, MessagesGoToTheChatOfEither) {
    const auto ollama = write_ollama_generation(chat());
    const auto openai = write_openai_generation(chat());
    ASSERT_TRUE(ollama);
    ASSERT_TRUE(openai);
    EXPECT_EQ(ollama->api, Api::ollama_chat);
    const Json messages =
        Json::parse(R"([{"role":"system","content":"be brief"},{"role":"user","content":"hi"}])");
    EXPECT_EQ(Json::parse(ollama->body)["messages"], messages);
    EXPECT_EQ(Json::parse(openai->body)["messages"], messages);
}

TEST(Generation, OptionsHaveEachDialectsNames) {
    GenerationRequest request = prompt("hi");
    request.options = {0.5, 0.9, 40, 7, 3, {"END", "\n"}};
    const auto ollama = write_ollama_generation(request);
    const auto openai = write_openai_generation(request);
    ASSERT_TRUE(ollama);
    ASSERT_TRUE(openai);
    EXPECT_EQ(Json::parse(ollama->body)["options"],
              Json::parse(R"({"temperature":0.5,"top_p":0.9,"top_k":40,"num_predict":7,"seed":3,
                              "stop":["END","\n"]})"));
    const Json body = Json::parse(openai->body);
    EXPECT_EQ(body["max_tokens"], 7);
    EXPECT_EQ(body["temperature"], 0.5);
    EXPECT_EQ(body["top_p"], 0.9);
    EXPECT_EQ(body["top_k"], 40);
    EXPECT_EQ(body["seed"], 3);
    EXPECT_EQ(body["stop"], Json::parse(R"(["END","\n"])"));
    EXPECT_FALSE(body.contains("options"));
}

TEST(Generation, ImagesTravelAsEachDialectWantsThem) {
    GenerationRequest request;
    request.model = "m";
    request.messages = {{"user", "what?", {"iVBORw0KGgo=", "data:image/webp;base64,UklGRg=="}}};
    const auto ollama = write_ollama_generation(request);
    const auto openai = write_openai_generation(request);
    ASSERT_TRUE(ollama);
    ASSERT_TRUE(openai);
    EXPECT_EQ(Json::parse(ollama->body)["messages"][0]["images"],
              Json::parse(R"(["iVBORw0KGgo=","UklGRg=="])"));
    EXPECT_EQ(Json::parse(openai->body)["messages"][0]["content"], Json::parse(R"([
        {"type":"text","text":"what?"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},
        {"type":"image_url","image_url":{"url":"data:image/webp;base64,UklGRg=="}}])"));
}

TEST(Generation, ToolsArePassedOnAsTheyWereWritten) {
    GenerationRequest request = chat();
    request.tools_json = R"([{"type":"function","function":{"name":"f"}} ])";
    const auto ollama = write_ollama_generation(request);
    const auto openai = write_openai_generation(request);
    ASSERT_TRUE(ollama);
    ASSERT_TRUE(openai);
    EXPECT_EQ(Json::parse(ollama->body)["tools"], Json::parse(request.tools_json));
    EXPECT_NE(openai->body.find(request.tools_json), std::string::npos);
    GenerationRequest with_prompt = prompt("hi");
    with_prompt.tools_json = "[]";
    EXPECT_EQ(write_ollama_generation(with_prompt)->api, Api::ollama_chat)
        << "generate knows no tools";
}

TEST(Generation, RefusesWhatNoBackendCouldAnswer) {
    const auto param = [](const GenerationRequest& request) {
        const auto ollama = write_ollama_generation(request);
        const auto openai = write_openai_generation(request);
        EXPECT_FALSE(ollama);
        EXPECT_FALSE(openai);
        if (!ollama) {
            EXPECT_EQ(ollama.error().code, Errc::invalid_request);
        }
        return openai ? std::string() : openai.error().param;
    };
    EXPECT_EQ(param(prompt("")), "prompt");
    GenerationRequest nameless = prompt("hi");
    nameless.model.clear();
    EXPECT_EQ(param(nameless), "model");
    GenerationRequest no_role = chat();
    no_role.messages[0].role.clear();
    EXPECT_EQ(param(no_role), "messages");
    for (const std::string& tools : {std::string("{}"), std::string("[1"), std::string("[] []"),
                                     std::string(70, '[') + std::string(70, ']')}) {
        GenerationRequest bad = chat();
        bad.tools_json = tools;
        EXPECT_EQ(param(bad), "tools_json") << tools;
    }
}

TEST(Embeddings, AreAskedForInBothDialects) {
    const EmbeddingsRequest request{"m", {"a", "b"}};
    const auto ollama = write_ollama_embeddings(request);
    const auto openai = write_openai_embeddings(request);
    ASSERT_TRUE(ollama);
    ASSERT_TRUE(openai);
    EXPECT_EQ(ollama->api, Api::ollama_embed);
    EXPECT_EQ(openai->api, Api::embeddings);
    EXPECT_EQ(Json::parse(ollama->body), Json::parse(R"({"model":"m","input":["a","b"]})"));
    EXPECT_EQ(Json::parse(openai->body),
              Json::parse(R"({"model":"m","input":["a","b"],"encoding_format":"float"})"));
    EXPECT_FALSE(ollama->scan.stream);
    EXPECT_FALSE(write_openai_embeddings({"m", {}}));
    EXPECT_FALSE(write_ollama_embeddings({"", {"a"}}));
}

TEST(Embeddings, AreReadInTheOrderOfTheInputs) {
    using Vectors = std::vector<std::vector<float>>;
    const auto ollama = read_embeddings(R"({"model":"m","embeddings":[[0.5,-1],[2,3]]})");
    ASSERT_TRUE(ollama);
    EXPECT_EQ(*ollama, (Vectors{{0.5F, -1.F}, {2.F, 3.F}}));
    const auto openai = read_embeddings(
        R"({"data":[{"index":1,"embedding":[2e0]},{"embedding":[1],"index":0}],"model":"m"})");
    ASSERT_TRUE(openai);
    EXPECT_EQ(*openai, (Vectors{{1.F}, {2.F}}));
    EXPECT_FALSE(read_embeddings("{}"));
    EXPECT_FALSE(read_embeddings(R"({"data":[{"embedding":[1]})"));
    EXPECT_FALSE(read_embeddings("nonsense"));
}

}  // namespace
}  // namespace ollama_proxy::codec
