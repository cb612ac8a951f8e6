#include "http/hints.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace ollama_proxy::http {
namespace {

codec::RequestHead head_of(std::initializer_list<codec::Field> fields) {
    codec::RequestHead head;
    head.fields = fields;
    return head;
}

TEST(Hints, ReadEveryRoutingHeaderInAnyCase) {
    const auto hints = parse_hints(head_of({{"x-target-backend", "npu"},
                                            {"X-Latency-Critical", "True"},
                                            {"X-Power-Efficient", "1"},
                                            {"X-MAX-LATENCY-MS", "250"},
                                            {"X-Max-Power-Watts", "12.5"},
                                            {"X-Priority", "3"},
                                            {"X-Media-Type", "realtime"},
                                            {"X-Session-ID", "chat-7"},
                                            {"X-Other", "nonsense"}}));
    ASSERT_TRUE(hints);
    EXPECT_EQ(hints->target, "npu");
    EXPECT_TRUE(hints->latency_critical);
    EXPECT_TRUE(hints->power_efficient);
    EXPECT_EQ(hints->max_latency_ms, 250);
    EXPECT_EQ(hints->max_power_watts, 12.5);
    EXPECT_EQ(hints->priority, router::Priority::critical);
    EXPECT_EQ(hints->media_type, router::MediaType::realtime);
    EXPECT_EQ(hints->session_id, "chat-7");
}

TEST(Hints, AreTheDefaultsWithoutHeaders) {
    const auto hints = parse_hints(head_of({{"Host", "localhost"}}));
    ASSERT_TRUE(hints);
    EXPECT_TRUE(hints->target.empty());
    EXPECT_FALSE(hints->latency_critical);
    EXPECT_EQ(hints->priority, router::Priority::normal);
    EXPECT_FALSE(hints->max_latency_ms);
}

TEST(Hints, ABoolMayBeFalse) {
    for (const char* no : {"false", "0", "no", "OFF"}) {
        const auto hints = parse_hints(head_of({{"X-Latency-Critical", no}}));
        ASSERT_TRUE(hints) << no;
        EXPECT_FALSE(hints->latency_critical);
    }
}

TEST(Hints, AValueThatDoesNotParseNamesItsHeader) {
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
             {"X-Latency-Critical", ""},
             {"X-Latency-Critical", "maybe"},
             {"X-Power-Efficient", "tru"},
             {"X-Max-Latency-Ms", ""},
             {"X-Max-Latency-Ms", "0"},
             {"X-Max-Latency-Ms", "-1"},
             {"X-Max-Latency-Ms", "+1"},
             {"X-Max-Latency-Ms", "1.5"},
             {"X-Max-Latency-Ms", "1e3"},
             {"X-Max-Latency-Ms", "2147483648"},
             {"X-Max-Power-Watts", "0"},
             {"X-Max-Power-Watts", "inf"},
             {"X-Max-Power-Watts", "nan"},
             {"X-Max-Power-Watts", "1e999"},
             {"X-Max-Power-Watts", "5 W"},
             {"X-Priority", "urgent"},
             {"X-Priority", "4"},
             {"X-Priority", "-1"},
             {"X-Media-Type", "video"}}) {
        const auto hints = parse_hints(head_of({{name, value}}));
        ASSERT_FALSE(hints) << name << ": " << value;
        EXPECT_EQ(hints.error().code, Errc::invalid_request);
        EXPECT_EQ(hints.error().param, name);
    }
}

TEST(Hints, AHugeSessionIdIsCut) {
    const std::string id(1000, 's');
    EXPECT_EQ(parse_hints(head_of({{"X-Session-ID", id}}))->session_id.size(), 256U);
}

TEST(Hints, OnlyKnownFieldsGoUpstream) {
    EXPECT_EQ(forwarded_fields(head_of({{"Host", "h"},
                                        {"content-type", "application/json"},
                                        {"Authorization", "Bearer s"},
                                        {"x-api-key", "s"},
                                        {"Cookie", "c"},
                                        {"X-Priority", "high"},
                                        {"Anthropic-Version", "2023-06-01"},
                                        {"OpenAI-Beta", "a"},
                                        {"X-Stainless-OS", "Linux"},
                                        {"Content-Length", "5"},
                                        {"Connection", "close"},
                                        {"User-Agent", "u"}})),
              "content-type: application/json\r\nAnthropic-Version: 2023-06-01\r\n"
              "OpenAI-Beta: a\r\nX-Stainless-OS: Linux\r\nUser-Agent: u\r\n");
}

}  // namespace
}  // namespace ollama_proxy::http
