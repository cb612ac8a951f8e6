#include "running_demo.hpp"
#include "support/process.hpp"

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <system_error>

namespace ollama_proxy::demo {
namespace {

using support::eventually;
using support::http_post;
using support::HttpReply;
using support::Milliseconds;
using support::RawClient;

constexpr std::string_view kStreamed =
    R"({"model":"llama3","messages":[{"role":"user","content":"x"}],"stream":true})";
constexpr std::string_view kWhole =
    R"({"model":"llama3","messages":[{"role":"user","content":"x"}]})";
constexpr std::string_view kPath = "/v1/chat/completions";

TEST(DemoStream, KeepsThePace) {
    RunningDemo demo;
    demo.server.set_speed(50, 200);
    const auto start = support::Clock::now();
    const HttpReply reply = http_post(demo.port(), kPath, kStreamed);
    ASSERT_EQ(reply.pieces.size(), 13U);
    EXPECT_GE(reply.pieces[0].at - start, Milliseconds(50));
    EXPECT_GE(reply.pieces[11].at - reply.pieces[0].at, Milliseconds(50));  // 11 steps of 5 ms
}

TEST(DemoStream, ServesRequestAfterRequestOnOneConnection) {
    RunningDemo demo;
    RawClient client(demo.port());
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(client.post(kPath, kStreamed).clean_end);
        EXPECT_EQ(client.post(kPath, kWhole).status, 200);
    }
    EXPECT_EQ(demo.server.requests(), 6U);
    EXPECT_TRUE(eventually([&] { return demo.server.active() == 0; }));
}

TEST(DemoStream, AnswersPipelinedRequestsInOrder) {
    RunningDemo demo;
    demo.server.set_speed(5, 0);
    RawClient client(demo.port());
    ASSERT_TRUE(client.send_request("POST", kPath, kStreamed));
    ASSERT_TRUE(client.send_request("GET", "/api/version"));
    EXPECT_EQ(events_of(client.read_reply().body).size(), 14U);
    EXPECT_EQ(client.read_reply().body, R"({"version":"0.11.4"})");
}

TEST(DemoStream, EndsWithTheConnectionForHttp10) {
    RunningDemo demo;
    RawClient client(demo.port());
    ASSERT_TRUE(client.send("POST /v1/chat/completions HTTP/1.0\r\nContent-Length: " +
                            std::to_string(kStreamed.size()) + "\r\n\r\n" +
                            std::string(kStreamed)));
    const HttpReply reply = client.read_reply();
    EXPECT_FALSE(reply.head.is_chunked());
    EXPECT_TRUE(reply.clean_end);
    EXPECT_EQ(events_of(reply.body).back(), "[DONE]");
}

TEST(DemoStream, RefusesWhatIsNoHttp) {
    RunningDemo demo;
    RawClient client(demo.port());
    ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n"));
    EXPECT_EQ(client.read_reply().status, 400);
    client.wait_closed();
}

TEST(DemoStream, KeepsConcurrentStreamsApart) {
    DemoSettings settings = RunningDemo::quick();
    settings.tokens = 40;
    settings.tokens_per_second = 2000;
    RunningDemo demo(settings);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 50; ++i) {
        clients.push_back(std::make_unique<RawClient>(demo.port()));
        clients.back()->send_request(
            "POST", "/api/generate",
            R"({"model":"llama3","prompt":"stream-)" + std::to_string(i) + R"("})");
    }
    for (int i = 0; i < 50; ++i) {
        const HttpReply reply = clients[static_cast<std::size_t>(i)]->read_reply();
        EXPECT_EQ(lines_of(reply.body).size(), 41U);
        EXPECT_THAT(reply.body, testing::HasSubstr("stream-" + std::to_string(i) + R"(\":)"));
    }
}

class DemoCancel : public testing::TestWithParam<std::string_view> {};

TEST_P(DemoCancel, IsCountedAtOnceWhileTheFirstTokenIsAwaited) {
    RunningDemo demo;
    demo.server.set_speed(600'000, 10);
    RawClient client(demo.port());
    ASSERT_TRUE(client.send_request("POST", kPath, GetParam()));
    ASSERT_TRUE(eventually([&] { return demo.server.active() == 1; }));
    client.close();
    EXPECT_TRUE(eventually([&] { return demo.server.cancelled() == 1; }));
    EXPECT_TRUE(eventually([&] { return demo.server.active() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(BothKinds, DemoCancel, testing::Values(kStreamed, kWhole));

TEST(DemoStream, CountsAClientThatLeavesBetweenTokens) {
    RunningDemo demo;
    demo.server.set_speed(0, 0.001);
    RawClient client(demo.port());
    ASSERT_TRUE(client.send_request("POST", kPath, kStreamed));
    HttpReply reply = client.begin_reply();
    ASSERT_TRUE(client.read_piece(reply));
    client.half_close();
    EXPECT_TRUE(eventually([&] { return demo.server.cancelled() == 1; }));
    client.wait_closed();
}

TEST(DemoStream, CountsAClientThatLeavesWithoutReading) {
    DemoSettings settings = RunningDemo::quick();
    settings.tokens = 500'000;  // far more than the socket buffers hold
    RunningDemo demo(settings);
    RawClient client(demo.port());
    ASSERT_TRUE(client.send_request("POST", kPath, kStreamed));
    HttpReply reply = client.begin_reply();
    ASSERT_TRUE(client.read_piece(reply));
    client.reset();
    EXPECT_TRUE(eventually([&] { return demo.server.cancelled() == 1; }));
}

TEST(DemoStream, OwnsLittleMemoryPerIdleStream) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer's own memory would be measured";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    GTEST_SKIP() << "a sanitizer's own memory would be measured";
#endif
#endif
    RunningDemo demo;
    demo.server.set_speed(600'000, 10);
    constexpr std::size_t kStreams = 400;
    std::vector<std::unique_ptr<RawClient>> clients;
    const std::size_t before = support::resident_bytes();
    for (std::size_t i = 0; i < kStreams; ++i) {
        clients.push_back(std::make_unique<RawClient>(demo.port()));
        ASSERT_TRUE(clients.back()->send_request("POST", kPath, kStreamed));
    }
    ASSERT_TRUE(eventually([&] { return demo.server.active() == static_cast<int>(kStreams); }));
    const std::size_t grown = support::resident_bytes() - before;
    EXPECT_LT(grown / kStreams, 16'384U);  // both ends of it, in this process
}

TEST(DemoStream, StopClosesEveryConnection) {
    RunningDemo demo;
    demo.server.set_speed(600'000, 10);
    RawClient idle(demo.port());
    RawClient busy(demo.port());
    EXPECT_EQ(idle.get("/api/version").status, 200);
    ASSERT_TRUE(busy.send_request("POST", kPath, kStreamed));
    ASSERT_TRUE(eventually([&] { return demo.server.active() == 1; }));
    boost::asio::post(demo.context(), [&] { demo.server.stop(); });
    idle.wait_closed();
    busy.wait_closed();
    EXPECT_THROW(RawClient{demo.port()}, std::system_error);
    EXPECT_EQ(demo.server.cancelled(), 0U);
}

TEST(DemoServer, CannotListenOnAPortInUse) {
    RunningDemo demo;
    DemoSettings settings;
    settings.port = demo.port();
    boost::asio::io_context context;
    EXPECT_THROW((DemoServer{context, settings}), std::system_error);
}

TEST(DemoServer, ReferenceMachineHasItsFourServers) {
    const std::vector<DemoSettings> all = reference_machine();
    ASSERT_EQ(all.size(), 4U);
    std::vector<std::string> with_70b;
    for (const DemoSettings& one : all) {
        EXPECT_THAT(one.name, testing::HasSubstr("(demo)"));
        EXPECT_EQ(one.models.front().name, "qwen2.5:0.5b");
        for (const DemoModel& model : one.models) {
            if (model.name == "llama3:70b") with_70b.push_back(one.hardware);
        }
    }
    EXPECT_THAT(with_70b, testing::ElementsAre("nvidia"));
    EXPECT_EQ(all[0].first_token_ms, 800);
}

}  // namespace
}  // namespace ollama_proxy::demo
