#include "codec/json_cursor.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ollama_proxy::codec {
namespace {

JsonCursor::Fault fault_of(const std::string& text) {
    JsonCursor cursor(text);
    cursor.take();
    if (cursor.at_end()) return JsonCursor::Fault::none;
    return cursor.fault() == JsonCursor::Fault::none ? JsonCursor::Fault::syntax : cursor.fault();
}

TEST(JsonCursor, AcceptsEveryKindOfValue) {
    for (const char* text :
         {"null", "true", "false", "0", "-0", "-12.5e+3", "1E9", "123456789012345678901234567890",
          "1e999", R"("")", R"("a\"\\\/\b\f\n\r\t\u00e9")", "[]", "{}", " [ 1 , [ ] , { } ] ",
          R"({"a":{"b":[{"c":1},2]},"d":"e"})", "\t{\r\n\"a\" : 1}\n"}) {
        EXPECT_EQ(fault_of(text), JsonCursor::Fault::none) << text;
    }
}

/// Strings are looked through many bytes at a step: whatever ends a step may stand anywhere in it.
TEST(JsonCursor, SeesWhatEndsAStringAtEveryPlace) {
    for (std::size_t size = 0; size < 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            const auto with = [&](std::string_view special) {
                std::string inside(size, '\xff');  // above every ASCII byte, signed or not
                inside.replace(at, 1, special);
                return fault_of("[\"" + inside + "\"]");
            };
            EXPECT_EQ(with("\\n"), JsonCursor::Fault::none) << size << " " << at;
            EXPECT_EQ(with("\x7f"), JsonCursor::Fault::none) << size << " " << at;
            EXPECT_EQ(with(" "), JsonCursor::Fault::none) << size << " " << at;
            EXPECT_EQ(with("\\x"), JsonCursor::Fault::syntax) << size << " " << at;
            EXPECT_EQ(with("\x1f"), JsonCursor::Fault::syntax) << size << " " << at;
            EXPECT_EQ(with(std::string_view("\0", 1)), JsonCursor::Fault::syntax)
                << size << " " << at;
            EXPECT_EQ(with("\""), JsonCursor::Fault::syntax) << size << " " << at;
        }
    }
}

TEST(JsonCursor, RefusesWhatIsNoJson) {
    using namespace std::string_literals;
    for (const std::string& text : std::vector<std::string>{"",
                                                            " ",
                                                            "nul",
                                                            "True",
                                                            "nulll",
                                                            "01",
                                                            "-",
                                                            "+1",
                                                            ".5",
                                                            "1.",
                                                            "1e",
                                                            "1e+",
                                                            "0x1",
                                                            "NaN",
                                                            "\"",
                                                            "\"a",
                                                            "\"\\",
                                                            "\"\\x\"",
                                                            "\"\\u12g4\"",
                                                            "\"\\u12\"",
                                                            "\"\n\"",
                                                            "\"\0\""s,
                                                            "\"\\\0\""s,
                                                            "\"12345678\t\"",
                                                            "[",
                                                            "]",
                                                            "[1",
                                                            "[1,",
                                                            "[1,]",
                                                            "[,1]",
                                                            "[1 2]",
                                                            "[1}",
                                                            "{",
                                                            "}",
                                                            "{\"a\"",
                                                            "{\"a\":",
                                                            "{\"a\":1",
                                                            "{\"a\":1,",
                                                            "{\"a\":1,}",
                                                            "{\"a\" 1}",
                                                            "{a:1}",
                                                            "{1:1}",
                                                            "{,}",
                                                            "{\"a\":}",
                                                            "{\"a\":1]",
                                                            "1 1",
                                                            "{} {}",
                                                            "[[[]]",
                                                            "\xef\xbb\xbf{}",
                                                            "// x\n1"}) {
        EXPECT_EQ(fault_of(text), JsonCursor::Fault::syntax) << text;
    }
}

TEST(JsonCursor, AllowsSixtyFourLevelsAndNoMore) {
    const auto nest = [](int levels) {
        std::string text;
        for (int i = 0; i < levels; ++i) text += i % 2 == 0 ? "[" : "{\"a\":";
        text += "1";
        for (int i = levels; i-- > 0;) text += i % 2 == 0 ? "]" : "}";
        return text;
    };
    EXPECT_EQ(fault_of(nest(64)), JsonCursor::Fault::none);
    EXPECT_EQ(fault_of(nest(65)), JsonCursor::Fault::depth);
    EXPECT_EQ(fault_of(std::string(100000, '[')), JsonCursor::Fault::depth);
    const std::string deep = nest(64);
    JsonCursor entered(deep);
    entered.enter_array();
    EXPECT_TRUE(entered.next_element());
    entered.take();
    EXPECT_FALSE(entered.next_element());
    EXPECT_TRUE(entered.at_end());
}

TEST(JsonCursor, WalksMembersAndElementsInOnePass) {
    JsonCursor cursor(R"( {"a":[1,{"b":2}],"c":{},"d":[] ,"e":"x"} )");
    std::vector<std::string> seen;
    std::string_view key;
    cursor.enter_object();
    while (cursor.next_member(key)) {
        seen.emplace_back(key);
        if (key == "a") {
            cursor.enter_array();
            while (cursor.next_element()) seen.emplace_back(cursor.take().raw);
        } else if (key == "c") {
            cursor.enter_object();
            EXPECT_FALSE(cursor.next_member(key));
        } else if (key == "d") {
            cursor.enter_array();
            EXPECT_FALSE(cursor.next_element());
        } else {
            seen.emplace_back(cursor.take().raw);
        }
    }
    EXPECT_TRUE(cursor.at_end());
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "1", "{\"b\":2}", "c", "d", "e", "\"x\""}));
}

TEST(JsonCursor, StaysFaultyAfterAFault) {
    JsonCursor cursor("[1,x]");
    cursor.enter_array();
    EXPECT_TRUE(cursor.next_element());
    cursor.take();
    EXPECT_TRUE(cursor.next_element());
    EXPECT_EQ(cursor.take().kind, JsonKind::none);
    EXPECT_FALSE(cursor.next_element());
    EXPECT_FALSE(cursor.at_end());
}

TEST(JsonValue, ReadsNumbersAsCounts) {
    const auto value = [](const char* text) { return JsonCursor(text).take(); };
    EXPECT_EQ(value("17").as_count(), 17U);
    EXPECT_EQ(value("17.0").as_count(), 17U);
    EXPECT_EQ(value("18446744073709551615").as_count(), 18446744073709551615U);
    EXPECT_EQ(value("-1").as_count(), std::nullopt);
    EXPECT_EQ(value("1e300").as_count(), std::nullopt);
    EXPECT_EQ(value("1e999").as_number(), std::nullopt);
    EXPECT_EQ(value("\"17\"").as_count(), std::nullopt);
}

TEST(JsonValue, KnowsEmptyFromFull) {
    const auto full = [](const char* text) { return JsonCursor(text).take().has_content(); };
    EXPECT_TRUE(full("\" \""));
    EXPECT_TRUE(full("[ 1 ]"));
    EXPECT_TRUE(full("{\"a\":1}"));
    EXPECT_FALSE(full("\"\""));
    EXPECT_FALSE(full("[ \n]"));
    EXPECT_FALSE(full("{ }"));
    EXPECT_FALSE(full("1"));
}

TEST(JsonString, DecodesEveryEscape) {
    EXPECT_EQ(decode_json_string(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
    EXPECT_EQ(decode_json_string(R"(\u0041\u00e9\u20AC\ud83d\ude00)"),
              "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    EXPECT_EQ(decode_json_string(R"(\ud83d)"), "\xef\xbf\xbd");
    EXPECT_EQ(decode_json_string(R"(\ud83dx\ude00)"), "\xef\xbf\xbdx\xef\xbf\xbd");
    EXPECT_EQ(decode_json_string(R"(\ud83d\u0041)"),
              "\xef\xbf\xbd"
              "A");
}

}  // namespace
}  // namespace ollama_proxy::codec
