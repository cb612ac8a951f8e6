#include "ollama_proxy/upstream/catalog.hpp"

#include "upstream/catalog_parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ollama_proxy::upstream {
namespace {

using config::BackendType;
using ::testing::HasSubstr;

TEST(ModelKey, AddsTheDefaultTagAndLowersTheCaseForOllama) {
    EXPECT_EQ(model_key(BackendType::ollama, "Llama3"), "llama3:latest");
    EXPECT_EQ(model_key(BackendType::ollama, "Qwen2.5:0.5B"), "qwen2.5:0.5b");
    EXPECT_EQ(model_key(BackendType::ollama, "hf.co/X/Y:Q4_K"), "hf.co/x/y:q4_k");
    EXPECT_EQ(model_key(BackendType::ollama, ""), "");
}

TEST(ModelKey, DoesNotTakeAPortForATag) {
    EXPECT_EQ(model_key(BackendType::ollama, "localhost:5000/m"), "localhost:5000/m:latest");
    EXPECT_EQ(model_key(BackendType::ollama, "localhost:5000/m:7b"), "localhost:5000/m:7b");
}

TEST(ModelKey, LeavesOpenAiNamesAlone) {
    EXPECT_EQ(model_key(BackendType::openai, "Org/Model"), "Org/Model");
}

TEST(Catalog, FindsModelsByKey) {
    Catalog catalog;
    catalog.models = *parse_tags(R"({"models":[{"name":"A"},{"name":"b:7b"}]})");
    catalog.loaded = *parse_ps(R"({"models":[{"name":"b:7b"}]})");
    ASSERT_NE(catalog.find("a:latest"), nullptr);
    EXPECT_EQ(catalog.find("a:latest")->name, "A");
    EXPECT_EQ(catalog.find("A"), nullptr);
    EXPECT_TRUE(catalog.is_loaded("b:7b"));
    EXPECT_FALSE(catalog.is_loaded("a:latest"));
}

TEST(Catalog, NotesWhenALoadedModelWasMissed) {
    const auto seen = [](const Catalog& former, std::string_view ps, int second) {
        Catalog now;
        now.loaded = *parse_ps(ps);
        now.loaded_asked = TimePoint(std::chrono::seconds(second));
        now.note_missed(former);
        return now;
    };
    constexpr std::string_view kLoaded = R"({"models":[{"name":"b:7b","size":5000}]})";
    constexpr std::string_view kNothing = R"({"models":[]})";
    const Catalog first = seen({}, kLoaded, 10);
    ASSERT_NE(first.find_loaded("b:7b"), nullptr);
    EXPECT_EQ(first.find_loaded("b:7b")->size_bytes, 5000U);
    EXPECT_EQ(first.find_loaded("b:7b")->missed_at, TimePoint{}) << "never seen missing";
    const Catalog again = seen(seen(first, kNothing, 20), kLoaded, 30);
    EXPECT_EQ(again.find_loaded("b:7b")->missed_at, TimePoint(std::chrono::seconds(20)));
    const Catalog stays = seen(again, kLoaded, 40);
    EXPECT_EQ(stays.find_loaded("b:7b")->missed_at, TimePoint(std::chrono::seconds(20)));
}

TEST(ParseTags, ReadsNameSizeAndTime) {
    const auto models = parse_tags(
        R"({"models":[{"name":"Llama3:8B","model":"llama3:8b","size":4661224676,)"
        R"("modified_at":"2024-05-01T12:00:00.5+02:00","details":{"family":"llama"}}]})");
    ASSERT_TRUE(models);
    ASSERT_EQ(models->size(), 1U);
    const Model& model = models->front();
    EXPECT_EQ(model.name, "Llama3:8B");
    EXPECT_EQ(model.key, "llama3:8b");
    EXPECT_EQ(model.size_bytes, 4661224676U);
    EXPECT_EQ(model.created, 1714557600);
    EXPECT_THAT(model.json, HasSubstr(R"("details":{"family":"llama"})"));
}

TEST(ParseTags, TakesModelWhereNameIsMissingAndAnEmptyListAsOne) {
    const auto models = parse_tags(R"({"models":[{"model":"m:1b"}]})");
    ASSERT_TRUE(models);
    EXPECT_EQ(models->at(0).name, "m:1b");
    EXPECT_EQ(parse_tags(R"({"models":[]})")->size(), 0U);
    EXPECT_EQ(parse_tags(R"({"models":null})")->size(), 0U);
}

TEST(ParseTags, LeavesOutEntriesWithoutAUsableName) {
    const auto models = parse_tags(
        R"({"models":[1,null,{},{"name":7},{"name":""},{"name":"a\nb"},{"name":"ok"},)"
        R"({"name":"ok","size":9},{"name":")" +
        std::string(600, 'x') + R"("},{"name":"sizes","size":-3},{"name":"sized","size":1.5}]})");
    ASSERT_TRUE(models);
    ASSERT_EQ(models->size(), 3U);
    EXPECT_EQ(models->at(0).name, "ok");
    EXPECT_FALSE(models->at(0).size_bytes);  // the first of two equal names counts
    EXPECT_FALSE(models->at(1).size_bytes);
    EXPECT_FALSE(models->at(2).size_bytes);
}

TEST(ParseTags, RefusesWhatIsNoList) {
    for (const char* body : {"", "null", "[]", "\"x\"", "{}", R"({"models":{}})", R"({"models":)",
                             "<html>", R"({"models":[{"name":"a\xff"}]})"}) {
        EXPECT_FALSE(parse_tags(body)) << body;
        EXPECT_FALSE(parse_ps(body)) << body;
    }
    EXPECT_FALSE(parse_tags("{\"models\":[{\"name\":\"a\xff\"}]}"));
}

TEST(ParseTags, SurvivesDeepNestingAndVeryManyModels) {
    EXPECT_FALSE(parse_tags(R"({"models":[{"name":"a","x":)" + std::string(1'000'000, '[')));
    const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
    EXPECT_FALSE(parse_tags(R"({"models":[{"name":"a","x":)" + deep + "}]}"));
    // brackets inside of strings nest nothing
    const auto text =
        parse_tags(R"({"models":[{"name":"a","x":"\"[[)" + std::string(500, '[') + R"("}]})");
    ASSERT_TRUE(text);
    EXPECT_EQ(text->size(), 1U);

    std::string many = R"({"models":[)";
    for (int i = 0; i < 12'000; ++i) {
        many += (i > 0 ? ",{\"name\":\"m" : "{\"name\":\"m") + std::to_string(i) + "\"}";
    }
    EXPECT_EQ(parse_tags(many + "]}")->size(), kMaxModels);
}

TEST(ParseOpenAiModels, ReadsTheList) {
    const auto models = parse_openai_models(
        R"({"object":"list","data":[{"id":"Org/M","created":1700000000,"owned_by":"me","x":1}]})");
    ASSERT_TRUE(models);
    ASSERT_EQ(models->size(), 1U);
    EXPECT_EQ(models->at(0).key, "Org/M");
    EXPECT_EQ(models->at(0).created, 1700000000);
    EXPECT_EQ(models->at(0).owned_by, "me");
    EXPECT_THAT(models->at(0).json, HasSubstr(R"("x":1)"));
    EXPECT_FALSE(parse_openai_models(R"({"models":[]})"));
}

TEST(ParseOpenAiModels, IgnoresTimesThatAreNone) {
    const auto models = parse_openai_models(
        R"({"data":[{"id":"a","created":"x"},{"id":"b","created":-1},{"id":"c","created":1e300}]})");
    ASSERT_TRUE(models);
    for (const Model& model : *models) EXPECT_EQ(model.created, 0);
}

TEST(ParseVersion, TakesAShortString) {
    EXPECT_EQ(parse_version(R"({"version":"0.5.1"})"), "0.5.1");
    EXPECT_FALSE(parse_version(R"({"version":1})"));
    EXPECT_FALSE(parse_version(R"({"version":""})"));
    EXPECT_FALSE(parse_version(R"({"version":")" + std::string(65, '1') + "\"}"));
    EXPECT_FALSE(parse_version("<html>"));
}

TEST(ParseRfc3339, KnowsZonesFractionsAndLeapDays) {
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_rfc3339("2024-02-29T23:59:60z"), 1709251200);
    EXPECT_EQ(parse_rfc3339("2024-05-01T12:34:56.789012345-07:00"), 1714592096);
}

TEST(ParseRfc3339, RefusesWhatIsNone) {
    for (const char* text :
         {"", "2024-05-01", "2024-05-01T12:34:56", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
          "2024-05-01T24:00:00Z", "2024-05-01T12:60:00Z", "2024-05-01T12:34:5xZ",
          "2024-05-01T12:34:56+0700", "2024-05-01T12:34:56+07:00x", "2024-05-01T12:34:56.Zx",
          "2024-05-01 12:34:56Z", "2024-05-01T12:34:56."}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

}  // namespace
}  // namespace ollama_proxy::upstream
