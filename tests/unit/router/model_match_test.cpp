#include "router/model_match.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy::router {
namespace {

using config::BackendType;
using config::ModelCapability;

constexpr auto kOllama = BackendType::ollama;
constexpr auto kOpenai = BackendType::openai;

TEST(Glob, MatchesStarsAndQuestionMarks) {
    EXPECT_TRUE(glob_match("*:70b", "llama3:70b"));
    EXPECT_TRUE(glob_match("*", ""));
    EXPECT_TRUE(glob_match("**", "x"));
    EXPECT_TRUE(glob_match("a*b*c", "a-b-b-c"));
    EXPECT_TRUE(glob_match("qwen?.5", "qwen2.5"));
    EXPECT_TRUE(glob_match("", ""));
    EXPECT_TRUE(glob_match("a*", "a"));
    EXPECT_FALSE(glob_match("*:70b", "llama3:70b-instruct"));
    EXPECT_FALSE(glob_match("*:70b", ":70"));
    EXPECT_FALSE(glob_match("qwen?.5", "qwen.5"));
    EXPECT_FALSE(glob_match("", "x"));
    EXPECT_FALSE(glob_match("a*b*c", "a-c-b"));
    EXPECT_FALSE(glob_match("?", ""));
}

TEST(Glob, IgnoresCaseOnlyWhenAsked) {
    EXPECT_TRUE(glob_match("LLAMA*", "llama3", true));
    EXPECT_FALSE(glob_match("LLAMA*", "llama3", false));
}

TEST(Glob, DoesNotExplodeOnManyStars) {
    std::string pattern;
    for (int i = 0; i < 40; ++i) pattern += "*a";
    pattern += "b";  // exponential for a matcher that backtracks into every star
    EXPECT_FALSE(glob_match(pattern, std::string(400, 'a')));
}

TEST(ModelName, OfOllamaTakesLatestForAMissingTag) {
    EXPECT_TRUE(same_model(kOllama, "llama3", "Llama3:latest"));
    EXPECT_TRUE(same_model(kOllama, "llama3:8B", "LLAMA3:8b"));
    EXPECT_FALSE(same_model(kOllama, "llama3", "llama3:8b"));
    EXPECT_FALSE(same_model(kOllama, "llama3", "llama"));
    EXPECT_EQ(canonical_model(kOllama, "Qwen2.5"), "qwen2.5:latest");
    EXPECT_EQ(canonical_model(kOllama, "Qwen2.5:7B"), "qwen2.5:7b");
    EXPECT_EQ(canonical_model(kOllama, ""), "");
}

TEST(ModelName, OfOllamaDoesNotTakeARegistryPortForATag) {
    EXPECT_EQ(canonical_model(kOllama, "host:5000/me/m"), "host:5000/me/m:latest");
    EXPECT_TRUE(same_model(kOllama, "host:5000/me/m", "host:5000/me/m:latest"));
    EXPECT_FALSE(same_model(kOllama, "host:5000/me/m", "host:5000/me/n"));
}

TEST(ModelName, OfOpenaiIsExact) {
    EXPECT_TRUE(same_model(kOpenai, "Meta/Llama-3", "Meta/Llama-3"));
    EXPECT_FALSE(same_model(kOpenai, "Meta/Llama-3", "meta/llama-3"));
    EXPECT_FALSE(same_model(kOpenai, "llama3", "llama3:latest"));
    EXPECT_EQ(canonical_model(kOpenai, "Meta/Llama-3"), "Meta/Llama-3");
}

TEST(ModelPattern, OfOllamaMayLeaveLatestOut) {
    EXPECT_TRUE(pattern_covers(kOllama, "llama3", "llama3:latest"));
    EXPECT_TRUE(pattern_covers(kOllama, "llama3:latest", "Llama3"));
    EXPECT_TRUE(pattern_covers(kOllama, "*:latest", "llama3"));
    EXPECT_TRUE(pattern_covers(kOllama, "QWEN*", "qwen2.5:7b"));
    EXPECT_FALSE(pattern_covers(kOllama, "llama3", "llama3:70b"));
    EXPECT_FALSE(pattern_covers(kOllama, "*:1b", "llama3:11b"));
    EXPECT_FALSE(pattern_covers(kOpenai, "*:latest", "llama3"));
    EXPECT_FALSE(pattern_covers(kOpenai, "GPT*", "gpt-4o"));
}

/// The NPU of the reference machine.
ModelCapability small_models() {
    ModelCapability capability;
    capability.max_model_size_gb = 2;
    capability.supported_model_patterns = {"*:0.5b", "*:1b", "*:1.5b"};
    capability.excluded_patterns = {"*:70b"};
    return capability;
}

Refusal asked(const ModelCapability& capability, std::string_view model, ModelKnowledge knowledge) {
    return model_refusal(kOllama, capability, model, knowledge);
}

TEST(ModelRefusal, TakesAListedModelThatFits) {
    EXPECT_EQ(asked(small_models(), "qwen2.5:0.5b", {true, true, false, 400'000'000}),
              Refusal::none);
    EXPECT_EQ(asked({}, "anything", {true, true, false, {}}), Refusal::none);
}

TEST(ModelRefusal, MissesWhatAKnownCatalogDoesNotList) {
    EXPECT_EQ(asked({}, "llama3", {true, false, false, {}}), Refusal::model_missing);
}

TEST(ModelRefusal, LetsPatternsDecideOnlyWhileTheCatalogIsNotKnown) {
    EXPECT_EQ(asked(small_models(), "tiny:1b", {false, false, false, {}}), Refusal::none);
    EXPECT_EQ(asked(small_models(), "big:7b", {false, false, false, {}}), Refusal::model_pattern);
    EXPECT_EQ(asked(small_models(), "tiny:1b", {true, false, false, {}}), Refusal::model_missing);
    EXPECT_EQ(asked(small_models(), "tiny:1b", {false, false, true, {}}), Refusal::model_missing)
        << "another backend is known to have it";
}

TEST(ModelRefusal, AppliesPatternsAndSizeToListedModelsToo) {
    ModelCapability capability = small_models();
    EXPECT_EQ(asked(capability, "llama3:70b", {true, true, false, {}}), Refusal::model_pattern);
    EXPECT_EQ(asked(capability, "llama3:7b", {true, true, false, {}}), Refusal::model_pattern);
    capability.supported_model_patterns.push_back("*:70b");
    EXPECT_EQ(asked(capability, "llama3:70b", {true, true, false, {}}), Refusal::model_pattern)
        << "excluded patterns always refuse";
    EXPECT_EQ(asked(capability, "fat:1b", {true, true, false, 2'000'000'001}), Refusal::model_size);
    EXPECT_EQ(asked(capability, "fat:1b", {true, true, false, 2'000'000'000}), Refusal::none);
    EXPECT_EQ(asked(capability, "fat:1b", {true, true, false, {}}), Refusal::none)
        << "a size that nobody knows refuses nothing";
}

TEST(ModelRefusal, HasNoSizeLimitAtZero) {
    EXPECT_EQ(asked({}, "huge", {true, true, false, 400'000'000'000}), Refusal::none);
}

TEST(ModelRefusal, AsksNothingOfARequestWithoutAModel) {
    EXPECT_EQ(asked(small_models(), "", {true, false, false, {}}), Refusal::none);
}

}  // namespace
}  // namespace ollama_proxy::router
