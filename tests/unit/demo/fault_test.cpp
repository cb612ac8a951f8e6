#include "running_demo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ollama_proxy::demo {
namespace {

using support::eventually;
using support::http_post;
using support::HttpReply;
using support::Milliseconds;
using support::RawClient;

constexpr std::string_view kNative = R"({"model":"llama3","prompt":"x"})";
constexpr std::string_view kWhole = R"({"model":"llama3","prompt":"x","stream":false})";
constexpr std::string_view kPath = "/api/generate";

HttpReply with(Fault fault, std::string_view body, RunningDemo& demo) {
    demo.server.set_fault(fault);
    return http_post(demo.port(), kPath, body);
}

TEST(DemoFault, AnswersWithAStatus) {
    RunningDemo demo;
    EXPECT_EQ(with(Fault::status_500, kNative, demo).status, 500);
    EXPECT_TRUE(json_of(with(Fault::status_503, kNative, demo))["error"].is_string());
    const HttpReply busy = with(Fault::status_429, kNative, demo);
    EXPECT_EQ(busy.status, 429);
    EXPECT_EQ(busy.header("Retry-After"), "1");
    const HttpReply openai =
        http_post(demo.port(), "/v1/completions", R"({"model":"llama3","prompt":"x"})");
    EXPECT_TRUE(json_of(openai)["error"]["message"].is_string());
    EXPECT_EQ(with(Fault::none, kNative, demo).status, 200);
}

TEST(DemoFault, ClosesBeforeTheHead) {
    RunningDemo demo;
    const HttpReply reply = with(Fault::close_before_head, kNative, demo);
    EXPECT_EQ(reply.raw, "");
    EXPECT_EQ(demo.server.requests(), 1U);
    EXPECT_EQ(demo.server.cancelled(), 0U);
}

TEST(DemoFault, SendsWhatIsNoHttp) {
    RunningDemo demo;
    EXPECT_THAT(with(Fault::garbage_head, kNative, demo).raw, testing::HasSubstr("no HTTP"));
}

TEST(DemoFault, ResetsAfterTwoTokens) {
    RunningDemo demo;
    demo.server.set_fault(Fault::reset_mid_stream);
    demo.server.set_speed(0, 100);  // both tokens are read before the reset drops them
    RawClient client(demo.port());
    const HttpReply reply = client.post(kPath, kNative);
    EXPECT_TRUE(client.was_reset());
    EXPECT_FALSE(reply.clean_end);
    EXPECT_LE(lines_of(reply.body).size(), 2U);
}

TEST(DemoFault, ClosesCleanlyWithoutTheDialectsEnd) {
    RunningDemo demo;
    const HttpReply reply = with(Fault::close_mid_stream, kNative, demo);
    EXPECT_TRUE(reply.clean_end);
    const auto lines = lines_of(reply.body);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines.back()["done"], false);
    const HttpReply whole = with(Fault::close_mid_stream, kWhole, demo);
    EXPECT_EQ(whole.status, 200);
    EXPECT_FALSE(whole.clean_end);
}

TEST(DemoFault, StallsAfterTwoTokensUntilTheClientLeaves) {
    RunningDemo demo;
    demo.server.set_fault(Fault::stall_mid_stream);
    RawClient client(demo.port());
    ASSERT_TRUE(client.send_request("POST", kPath, kNative));
    HttpReply reply = client.begin_reply();
    ASSERT_TRUE(client.read_piece(reply));
    ASSERT_TRUE(client.read_piece(reply));
    EXPECT_TRUE(client.stays_silent(Milliseconds(50)));
    client.close();
    EXPECT_TRUE(eventually([&] { return demo.server.cancelled() == 1; }));
}

TEST(DemoFault, NeverAnswers) {
    RunningDemo demo;
    demo.server.set_fault(Fault::silent);
    RawClient client(demo.port());
    ASSERT_TRUE(client.send_request("POST", kPath, kNative));
    ASSERT_TRUE(eventually([&] { return demo.server.active() == 1; }));
    EXPECT_TRUE(client.stays_silent(Milliseconds(50)));
    EXPECT_EQ(support::http_get(demo.port(), "/api/version").status, 200);
    client.close();
    EXPECT_TRUE(eventually([&] { return demo.server.active() == 0; }));
}

TEST(DemoFault, SendsAnErrorAsTheFirstEvent) {
    RunningDemo demo;
    const HttpReply native = with(Fault::error_event_first, kNative, demo);
    EXPECT_EQ(native.status, 200);
    ASSERT_EQ(lines_of(native.body).size(), 1U);
    EXPECT_TRUE(lines_of(native.body)[0]["error"].is_string());
    const HttpReply openai = http_post(demo.port(), "/v1/completions",
                                       R"({"model":"llama3","prompt":"x","stream":true})");
    ASSERT_EQ(events_of(openai.body).size(), 1U);
    EXPECT_TRUE(nlohmann::json::parse(events_of(openai.body)[0])["error"].is_object());
}

}  // namespace
}  // namespace ollama_proxy::demo
