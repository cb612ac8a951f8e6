#include "telemetry/line_writer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace ollama_proxy::telemetry {
namespace {

using config::LogFormat;
using config::LogLevel;
using std::chrono::milliseconds;
using std::chrono::system_clock;

const system_clock::time_point kTime{milliseconds(1767323045678)};  // 2026-01-02T03:04:05.678Z

std::string line(LogFormat format, std::string_view value, std::string_view message = "backend up",
                 LogLevel level = LogLevel::info, bool colour = false) {
    std::string out;
    LineWriter(out, {format, colour}, level, kTime, message).text("id", value).finish();
    return out;
}

TEST(LineWriter, WritesATextLineWithTimeLevelAndFields) {
    EXPECT_EQ(line(LogFormat::text, "ollama-npu"),
              "2026-01-02T03:04:05.678Z INFO backend up id=ollama-npu\n");
}

TEST(LineWriter, WritesOneJsonObjectALine) {
    EXPECT_EQ(line(LogFormat::json, "a\"b\\c"),
              R"({"time":"2026-01-02T03:04:05.678Z","level":"info","message":"backend up",)"
              R"("id":"a\"b\\c"})"
              "\n");
}

TEST(LineWriter, GivesJournaldThePriorityAndNoTime) {
    EXPECT_EQ(line(LogFormat::journal, "x", "m", LogLevel::error), "<3>m id=x\n");
    EXPECT_EQ(line(LogFormat::journal, "x", "m", LogLevel::warn), "<4>m id=x\n");
    EXPECT_EQ(line(LogFormat::journal, "x", "m", LogLevel::info), "<6>m id=x\n");
    EXPECT_EQ(line(LogFormat::journal, "x", "m", LogLevel::debug), "<7>m id=x\n");
}

TEST(LineWriter, ColoursOnlyTheLevelOfText) {
    EXPECT_EQ(line(LogFormat::text, "x", "m", LogLevel::error, true),
              "2026-01-02T03:04:05.678Z \x1b[31mERROR\x1b[0m m id=x\n");
    EXPECT_EQ(line(LogFormat::journal, "x", "m", LogLevel::error, true), "<3>m id=x\n");
}

TEST(LineWriter, QuotesWhatCouldBeReadAsAnotherField) {
    EXPECT_NE(line(LogFormat::text, "a b").find("id=\"a b\"\n"), std::string::npos);
    EXPECT_NE(line(LogFormat::text, "").find("id=\"\"\n"), std::string::npos);
    EXPECT_NE(line(LogFormat::text, "a=b").find("id=\"a=b\"\n"), std::string::npos);
    EXPECT_NE(line(LogFormat::text, "say \"hi\" \\").find(R"(id="say \"hi\" \\")"),
              std::string::npos);
}

TEST(LineWriter, NeverBreaksTheLineOrObeysTerminalControls) {
    const std::string hostile("a\nb\r\x1b[31m\0\x7f\xc2\x9bz\xe2\x80\xa8", 17);
    for (const auto format : {LogFormat::text, LogFormat::json, LogFormat::journal}) {
        const std::string out = line(format, hostile, hostile);
        EXPECT_EQ(out.find('\n'), out.size() - 1);
        for (const char c : {'\r', '\x1b', '\0', '\x7f', '\x9b'}) {
            EXPECT_EQ(out.find(c), std::string::npos) << int(c);
        }
        EXPECT_EQ(out.find("\xe2\x80\xa8"), std::string::npos);
    }
    EXPECT_NE(line(LogFormat::text, hostile).find(R"(id="a\nb\r\x1b[31m\x00\x7f\u009bz\u2028")"),
              std::string::npos);
    EXPECT_NE(
        line(LogFormat::json, hostile).find(R"("id":"a\nb\r\u001b[31m\u0000\u007f\u009bz\u2028")"),
        std::string::npos);
}

TEST(LineWriter, KeepsUtf8AndReplacesWhatIsNot) {
    EXPECT_NE(line(LogFormat::text, "m\xc3\xa4rz").find("id=\"m\xc3\xa4rz\""), std::string::npos);
    EXPECT_NE(line(LogFormat::json, "\xf0\x9f\x98\x80").find("\"\xf0\x9f\x98\x80\""),
              std::string::npos);
    // a lone continuation, an overlong slash, a surrogate, a cut character
    EXPECT_NE(line(LogFormat::text, "\x80\xc0\xaf\xed\xa0\x80\xe2\x82")
                  .find(R"("\x80\xc0\xaf\xed\xa0\x80\xe2\x82")"),
              std::string::npos);
    EXPECT_NE(line(LogFormat::json, "\xe2\x82").find("\"\xef\xbf\xbd\xef\xbf\xbd\""),
              std::string::npos);
}

TEST(LineWriter, WritesNumbersThatJsonAccepts) {
    std::string out;
    LineWriter(out, {LogFormat::json, false}, LogLevel::info, kTime, "m")
        .number("a", std::int64_t{-7})
        .number("b", 1.25, 1)
        .number("c", std::nan(""), 2)
        .number("d", 1e300, 0)
        .flag("e", true)
        .finish();
    EXPECT_NE(out.find(R"("a":-7,"b":1.2,"c":0.00,"d":1000000000000000,"e":true})"),
              std::string::npos)
        << out;
}

TEST(LineWriter, FormatsTimesBeforeTheEpoch) {
    std::string out;
    append_time(out, system_clock::time_point{milliseconds(-1)});
    EXPECT_EQ(out, "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace ollama_proxy::telemetry
