// The shortest way through the whole daemon: a chat as one reply, and as a stream.

#include "support/daemon.hpp"
#include "support/raw_client.hpp"
#include "support/scripted_backend.hpp"

#include <gtest/gtest.h>

#include <future>
#include <system_error>

namespace ollama_proxy {
namespace {

using support::RawClient;
using support::ScriptedBackend;
using support::TestDaemon;

constexpr std::string_view kPath = "/v1/chat/completions";

TEST(Smoke, AChatGoesToTheBackendAndItsReplyComesBackUnchanged) {
    const std::string answer =
        R"({"id":"x", "choices":[{"message":{"content":"hi"}}], "odd": 1e0})";
    ScriptedBackend backend(ScriptedBackend::answering_json(answer));
    const TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port(), "type: openai")}));
    daemon.wait_until_healthy("a");

    const std::string body =
        R"({ "model":"test-model","messages":[{"role":"user","content":"\u00e4"}] })";
    const auto reply = support::http_post(daemon.port(), kPath, body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, answer);
    EXPECT_EQ(reply.header("X-Backend-Used"), "a");
    const auto requests = backend.requests();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].target, kPath);
    EXPECT_EQ(requests[0].body, body);
    EXPECT_TRUE(backend.failures().empty());
}

TEST(Smoke, AStreamReachesTheClientPieceByPiece) {
    const std::string first = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";
    const std::string rest =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    std::promise<void> seen;
    std::shared_future<void> first_was_seen = seen.get_future().share();
    ScriptedBackend backend(
        ScriptedBackend::answering([&](support::Peer& peer, const support::RecordedRequest&) {
            peer.begin_chunked();
            peer.chunk(first);
            // The second piece leaves only after the client has the first.
            first_was_seen.wait_for(support::kPatience);
            peer.chunk(rest);
            peer.end_chunked();
        }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");

    RawClient client(daemon.port());
    client.send_request(
        "POST", kPath,
        R"({"model":"test-model","messages":[{"role":"user","content":"x"}],"stream":true})");
    auto reply = client.begin_reply("POST");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Content-Type"), "text/event-stream");
    EXPECT_TRUE(client.read_until(reply, "one"));
    EXPECT_EQ(reply.body, first);
    seen.set_value();
    while (client.read_piece(reply)) {
    }
    EXPECT_EQ(reply.body, first + rest);
    EXPECT_TRUE(reply.clean_end);
    EXPECT_TRUE(backend.failures().empty());
}

TEST(Smoke, AStoppedDaemonHasLeftItsPort) {
    TestDaemon daemon(support::config_yaml({}));
    EXPECT_EQ(support::http_get(daemon.port(), "/").body, "Ollama is running");
    daemon.stop();
    EXPECT_THROW(RawClient client(daemon.port()), std::system_error);
}

TEST(Smoke, SeveralDaemonsLiveInOneProcess) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    const std::string yaml = support::config_yaml({support::backend_yaml("a", backend.port())});
    const TestDaemon one(yaml);
    const TestDaemon two(yaml);
    EXPECT_NE(one.port(), two.port());
    one.wait_until_healthy("a");
    two.wait_until_healthy("a");
}

}  // namespace
}  // namespace ollama_proxy
