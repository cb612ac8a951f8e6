#include "grpc/status.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ollama_proxy::grpc_api {
namespace {

TEST(StatusOf, IsThatOfTheWireContract) {
    const std::vector<std::pair<Errc, StatusCode>> rows{
        {Errc::invalid_request, StatusCode::invalid_argument},
        {Errc::backend_not_found, StatusCode::invalid_argument},
        {Errc::model_not_found, StatusCode::not_found},
        {Errc::queue_full, StatusCode::resource_exhausted},
        {Errc::rate_limited, StatusCode::resource_exhausted},
        {Errc::request_too_large, StatusCode::resource_exhausted},
        {Errc::header_too_large, StatusCode::resource_exhausted},
        {Errc::queue_timeout, StatusCode::unavailable},
        {Errc::no_available_backends, StatusCode::unavailable},
        {Errc::overloaded, StatusCode::unavailable},
        {Errc::shutting_down, StatusCode::unavailable},
        {Errc::upstream_timeout, StatusCode::unavailable},
        {Errc::upstream_stalled, StatusCode::unavailable},
        {Errc::cancelled, StatusCode::cancelled},
        {Errc::invalid_api_key, StatusCode::unauthenticated},
        {Errc::permission_denied, StatusCode::permission_denied},
        {Errc::forbidden_host, StatusCode::permission_denied},
        {Errc::not_supported, StatusCode::unimplemented},
        {Errc::bad_gateway, StatusCode::internal},
        {Errc::upstream_refused, StatusCode::internal},
        {Errc::internal, StatusCode::internal},
    };
    for (const auto& [code, wanted] : rows) {
        EXPECT_EQ(status_code(code, false), wanted) << static_cast<int>(code);
    }
}

TEST(StatusOf, SaysWhereTheClientsOwnDeadlineEndedTheCall) {
    for (const Errc code : {Errc::queue_timeout, Errc::upstream_timeout, Errc::cancelled}) {
        EXPECT_EQ(status_code(code, true), StatusCode::deadline_exceeded);
    }
    EXPECT_EQ(status_code(Errc::model_not_found, true), StatusCode::not_found);
}

TEST(StatusOf, TakesACancellationRightBeforeTheDeadlineForTheDeadline) {
    const TimePoint now = TimePoint() + std::chrono::hours(1);
    const TimePoint soon = now + Milliseconds(10);
    EXPECT_TRUE(ended_by_deadline(Errc::cancelled, now, soon));
    EXPECT_FALSE(ended_by_deadline(Errc::cancelled, now, now + Milliseconds(200)));
    EXPECT_FALSE(ended_by_deadline(Errc::cancelled, now, kNever));
    EXPECT_FALSE(ended_by_deadline(Errc::queue_timeout, now, soon)) << "it waited here, too long";
    EXPECT_TRUE(ended_by_deadline(Errc::queue_timeout, now, now));
}

TEST(StatusText, IsCutBehindAWholeCharacter) {
    EXPECT_EQ(status_text("short"), "short");
    EXPECT_EQ(status_text(std::string(2048, 'x')), std::string(2048, 'x'));
    for (const std::string before : {"", "x"}) {
        std::string text = before;
        while (text.size() < 9000) text += "\u00e4";
        const std::string cut = status_text(text);
        EXPECT_LE(cut.size(), 2048U);
        EXPECT_GE(cut.size(), 2046U);
        EXPECT_TRUE(cut.ends_with("\u00e4 ...")) << cut;
    }
}

TEST(RetryAfter, IsSaidWhereHttpSaysIt) {
    Error error = make_error(Errc::shutting_down, "");
    EXPECT_EQ(retry_after_s(error), 1);
    error.retry_after_s = 7;
    EXPECT_EQ(retry_after_s(error), 7);
    EXPECT_EQ(retry_after_s(make_error(Errc::rate_limited, "")), 1);
    EXPECT_EQ(retry_after_s(make_error(Errc::invalid_request, "")), 0);
    EXPECT_EQ(retry_after_s(make_error(Errc::bad_gateway, "")), 0);
}

}  // namespace
}  // namespace ollama_proxy::grpc_api
