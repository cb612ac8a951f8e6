#include "router/answer_verdict.hpp"

#include "router/retry_after.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::router {
namespace {

using codec::Api;

TEST(AnswerVerdict, TheClientsFaultsAreItsOwn) {
    for (const int status : {400, 401, 403, 409, 413, 415, 422}) {
        EXPECT_EQ(verdict_of(status, Api::chat_completions, true), Verdict::client_fault) << status;
    }
    EXPECT_EQ(verdict_of(405, Api::chat_completions, true), Verdict::client_fault);
    EXPECT_EQ(verdict_of(200, Api::messages, false), Verdict::good);
}

TEST(AnswerVerdict, A404SpeaksOfTheRouteOnlyWhereTheModelIsKnownToBeThere) {
    EXPECT_EQ(verdict_of(404, Api::chat_completions, true), Verdict::model_missing);
    EXPECT_EQ(verdict_of(404, Api::responses, true), Verdict::route_missing);
    EXPECT_EQ(verdict_of(404, Api::responses, false), Verdict::model_missing);
    EXPECT_EQ(verdict_of(405, Api::messages, false), Verdict::route_missing);
    EXPECT_EQ(verdict_of(501, Api::count_tokens, false), Verdict::route_missing);
}

TEST(AnswerVerdict, FullIsNotBroken) {
    EXPECT_EQ(verdict_of(429, Api::ollama_chat, true), Verdict::busy);
    for (const int status : {408, 500, 502, 503, 504}) {
        EXPECT_EQ(verdict_of(status, Api::ollama_chat, true), Verdict::failed) << status;
    }
}

TEST(RetryAfter, IsWithinOneAndSixtySecondsWhateverIsSaid) {
    constexpr std::time_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
    EXPECT_EQ(retry_after_seconds("7", kNow), 7);
    EXPECT_EQ(retry_after_seconds(" 7 ", kNow), 7);
    EXPECT_EQ(retry_after_seconds("0", kNow), 1);
    EXPECT_EQ(retry_after_seconds("1000000000", kNow), 60);
    EXPECT_EQ(retry_after_seconds("99999999999999999999999", kNow), 60);
    EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:57 GMT", kNow), 20);
    EXPECT_EQ(retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", kNow), 1);
    EXPECT_EQ(retry_after_seconds("Mon, 07 Nov 1994 08:49:37 GMT", kNow), 60);
    for (const char* garbage :
         {"", "soon", "-1", "1.5", "7 s", "0x10", "Sun, 06 Nob 1994 08:49:57 GMT",
          "Sun, 06 Nov 1994 08:49:57 CET", "Sun, xx Nov 1994 08:49:57 GMT",
          "Sun, 06 Nov 1994 99:49:57 GMT", "Sun, 06 anF 1994 08:49:57 GMT"}) {
        EXPECT_EQ(retry_after_seconds(garbage, kNow), 1) << garbage;
    }
}

}  // namespace
}  // namespace ollama_proxy::router
