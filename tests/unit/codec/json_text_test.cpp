#include "ollama_proxy/codec/json_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ollama_proxy::codec {
namespace {

TEST(JsonText, WritesStringsThatAParserReadsBack) {
    std::string every;
    for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
    for (const std::string& text :
         {every, std::string(), std::string("plain"), std::string("\xf0\x9f\x98\x80 \xc3\xa9")}) {
        std::string out;
        append_json_string(out, text);
        EXPECT_EQ(nlohmann::json::parse(out).get<std::string>(), text);
    }
}

TEST(JsonText, ReplacesOnlyWhatIsNoUtf8) {
    EXPECT_EQ(valid_utf8("caf\xc3\xa9 \"x\"\n"), "caf\xc3\xa9 \"x\"\n");
    EXPECT_EQ(valid_utf8("\xff\"\n"), "\xef\xbf\xbd\"\n");
}

TEST(JsonText, TellsAnObjectFromEverythingElse) {
    EXPECT_FALSE(check_json_object(R"( {"a":[1,{}]} )", "the message"));
    const std::string deep = "{\"a\":" + std::string(64, '[') + std::string(64, ']') + "}";
    for (const std::string& bad : {std::string(), std::string("[]"), std::string("{} x"),
                                   std::string("{\"a\":\"\xff\"}"), std::string("{"), deep}) {
        const auto error = check_json_object(bad, "the message");
        ASSERT_TRUE(error) << bad;
        EXPECT_EQ(error->code, Errc::invalid_request);
        EXPECT_EQ(error->message.find("the message "), 0U);
    }
}

}  // namespace
}  // namespace ollama_proxy::codec
