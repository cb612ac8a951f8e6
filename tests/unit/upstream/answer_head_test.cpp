#include "upstream/answer_head.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy::upstream {
namespace {

AnswerHead reduced(std::string_view fields) {
    const std::string bytes = "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
    codec::ResponseHead head;
    const auto outcome = codec::parse_response_head(bytes, {64 * 1024, 200, 8192}, "POST", head);
    EXPECT_EQ(outcome.state, codec::HeadState::complete) << outcome.why;
    return reduce_head(head);
}

TEST(AnswerHead, KeepsWhatIsTheAnswersAndDropsWhatIsTheHops) {
    const AnswerHead head = reduced(
        "Content-Type: application/json\r\nConnection: x-private\r\n"
        "X-Private: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: a  b\r\n"
        "Retry-After: 3\r\nContent-Length: 12\r\n");
    EXPECT_EQ(head.fields, "Content-Type: application/json\r\nX-Kept: a  b\r\nRetry-After: 3\r\n");
    EXPECT_EQ(head.length, 12U);
    EXPECT_EQ(head.retry_after, "3");
    EXPECT_TRUE(head.has_body);
}

TEST(AnswerHead, DoesNotLetABackendSpeakForOurOrigin) {
    const AnswerHead head = reduced(
        "Set-Cookie: a=b\r\nSERVER: x\r\nAccess-Control-Allow-Origin: *\r\n"
        "access-control-allow-credentials: true\r\nStrict-Transport-Security: max-age=1\r\n"
        "Clear-Site-Data: \"*\"\r\nX-Backend-Used: other\r\nX-Request-Id: other\r\n"
        "Content-Length: 0\r\n");
    EXPECT_EQ(head.fields, "");
}

TEST(AnswerHead, ReadsTypeAndEncoding) {
    EXPECT_EQ(reduced("Content-Type: Text/Event-Stream ; charset=utf-8\r\n").kind,
              BodyKind::events);
    EXPECT_EQ(reduced("Content-Type: application/x-ndjson\r\n").kind, BodyKind::events);
    EXPECT_EQ(reduced("content-type: Application/JSON\r\n").kind, BodyKind::json);
    EXPECT_EQ(reduced("Content-Type: text/plain\r\n").kind, BodyKind::other);
    EXPECT_EQ(reduced("").kind, BodyKind::other);
    EXPECT_TRUE(reduced("Content-Encoding: gzip\r\n").encoded);
    EXPECT_FALSE(reduced("Content-Encoding: Identity\r\n").encoded);
    EXPECT_FALSE(reduced("").length.has_value());
}

}  // namespace
}  // namespace ollama_proxy::upstream
