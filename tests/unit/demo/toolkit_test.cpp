// The clients and backends that the integration tests stand on.
#include "support/environment.hpp"
#include "support/process.hpp"
#include "support/raw_client.hpp"
#include "support/scripted_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <system_error>

namespace ollama_proxy::support {
namespace {

TEST(ScriptedBackend, RecordsRequestsByteForByte) {
    ScriptedBackend backend(ScriptedBackend::answering_json(R"({"ok":true})"));
    RawClient client(backend.port());
    const std::string first = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n{ } ";
    const std::string second =
        "PUT /y HTTP/1.1\r\nHost:h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n"
        "0\r\n\r\n";
    ASSERT_TRUE(client.send(first + second));  // pipelined
    EXPECT_EQ(client.read_reply().body, R"({"ok":true})");
    EXPECT_EQ(client.read_reply().status, 200);
    const auto requests = backend.wait_for_requests(2);
    EXPECT_EQ(requests[0].raw, first);
    EXPECT_EQ(requests[0].body, "{ } ");
    EXPECT_EQ(requests[1].raw, second);
    EXPECT_EQ(requests[1].body, "abcde");
    EXPECT_EQ(requests[1].method, "PUT");
    EXPECT_EQ(requests[1].target, "/y");
    EXPECT_TRUE(backend.failures().empty());
}

TEST(ScriptedBackend, AnswersProbesOutsideTheScript) {
    ScriptedBackend::Options options;
    options.models = {"a:1", "b"};
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"), options);
    EXPECT_THAT(http_get(backend.port(), "/api/tags").body, testing::HasSubstr(R"("name":"b")"));
    EXPECT_THAT(http_get(backend.port(), "/v1/models").body, testing::HasSubstr(R"("id":"a:1")"));
    EXPECT_EQ(http_get(backend.port(), "/api/ps").body, R"({"models":[]})");
    EXPECT_EQ(backend.request_count(), 0U);
    EXPECT_EQ(backend.probe_count(), 3U);
    backend.set_healthy(false);
    EXPECT_EQ(http_get(backend.port(), "/api/version").status, 500);
}

TEST(ScriptedBackend, SeesWhenTheOtherSideCloses) {
    std::atomic<int> closed{0};
    ScriptedBackend backend([&](Peer& peer) {
        peer.read_request();
        peer.wait_closed();
        ++closed;
    });
    RawClient client(backend.port());
    client.send_request("GET", "/");
    backend.wait_for_requests(1);
    EXPECT_EQ(closed, 0);
    client.close();
    EXPECT_TRUE(eventually([&] { return closed == 1; }));
}

TEST(ScriptedBackend, TellsAScriptsFailure) {
    ScriptedBackend backend([](Peer& peer) {
        peer.read_request();
        peer.wait_closed(Milliseconds(1));
    });
    RawClient client(backend.port());
    client.send_request("GET", "/");
    EXPECT_TRUE(eventually([&] { return backend.failures().size() == 1; }));
    EXPECT_THROW(backend.wait_for_requests(2, Milliseconds(1)), TimedOut);
}

TEST(ScriptedBackend, ExpectsNoMore) {
    std::atomic<int> silent{-1};
    ScriptedBackend backend([&](Peer& peer) {
        peer.read_request();
        peer.reply(200, "{}");
        silent = peer.expect_no_more(kPatience) ? 1 : 0;
    });
    RawClient client(backend.port());
    EXPECT_EQ(client.get("/").status, 200);
    client.send("G");
    EXPECT_TRUE(eventually([&] { return silent == 0; }));
}

TEST(ScriptedBackend, MayHangInAcceptOrBeGone) {
    ScriptedBackend::Options options;
    options.accepts = false;
    ScriptedBackend backend([](Peer&) {}, options);
    EXPECT_THROW(RawClient(backend.port(), Milliseconds(50)), TimedOut);
    const ReservedPort gone;
    EXPECT_THROW(RawClient{gone.number()}, std::system_error);
}

TEST(ScriptedBackend, StopClosesItsConnections) {
    ScriptedBackend backend(ScriptedBackend::answering_json("{}"));
    RawClient client(backend.port());
    EXPECT_EQ(client.get("/").status, 200);
    backend.stop();
    client.wait_closed();
    EXPECT_THROW(RawClient{backend.port()}, std::system_error);
}

TEST(RawClient, TellsACleanEndFromABrokenOne) {
    const auto end_of = [](std::string_view bytes) {
        ScriptedBackend backend([bytes](Peer& peer) {
            peer.read_request();
            peer.send(bytes);
        });
        const HttpReply reply = http_get(backend.port(), "/");
        EXPECT_EQ(reply.raw, bytes);
        return reply.clean_end;
    };
    constexpr std::string_view kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_TRUE(end_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
    EXPECT_FALSE(end_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"));
    EXPECT_TRUE(end_of(std::string(kChunked) + "2\r\nab\r\n0\r\n\r\n"));
    EXPECT_FALSE(end_of(std::string(kChunked) + "2\r\nab\r\n"));
    EXPECT_FALSE(end_of(std::string(kChunked) + "2\r\nab\r\n0\r\n"));
    EXPECT_FALSE(end_of(std::string(kChunked) + "2\r\nabc\r\n0\r\n\r\n"));
    EXPECT_TRUE(end_of("HTTP/1.1 200 OK\r\n\r\nab"));
    EXPECT_FALSE(end_of(""));
}

TEST(RawClient, ShowsChunksAsTheyWereFramedAndResets) {
    ScriptedBackend backend([](Peer& peer) {
        peer.read_request();
        peer.begin_chunked();
        peer.send(chunk_of("one") + chunk_of("two"));
        peer.read_request();
        peer.reset();
    });
    RawClient client(backend.port());
    client.send_request("GET", "/");
    HttpReply reply = client.begin_reply();
    EXPECT_TRUE(client.read_until(reply, "two"));
    ASSERT_EQ(reply.pieces.size(), 2U);
    EXPECT_EQ(reply.pieces[0].bytes, "one");
    EXPECT_TRUE(client.stays_silent(Milliseconds(1)));
    client.send_request("GET", "/");
    EXPECT_FALSE(client.read_piece(reply));
    EXPECT_FALSE(reply.clean_end);
    EXPECT_TRUE(client.was_reset());
}

TEST(Toolkit, RestoresTheEnvironmentAndRemovesItsFolder) {
    std::filesystem::path folder;
    {
        const TempDir dir;
        folder = dir.path();
        std::string text;
        std::getline(std::ifstream(dir.write("a/b.txt", "hello")), text);
        EXPECT_EQ(text, "hello");
        const EnvGuard guard("OLLAMA_PROXY_TOOLKIT_TEST", "1");
        EXPECT_STREQ(std::getenv("OLLAMA_PROXY_TOOLKIT_TEST"), "1");
    }
    EXPECT_FALSE(std::filesystem::exists(folder));
    EXPECT_EQ(std::getenv("OLLAMA_PROXY_TOOLKIT_TEST"), nullptr);
}

TEST(Toolkit, CountsDescriptorsAndThreads) {
    const std::size_t before = open_descriptors();
    const Socket socket = Socket::listen(1);
    EXPECT_EQ(open_descriptors(), before + 1);
    EXPECT_EQ(open_descriptors(::getpid()), before + 2);  // as seen from outside, with the listing
    EXPECT_GE(thread_count(), 1U);
    EXPECT_GT(resident_bytes(), 100'000U);
}

}  // namespace
}  // namespace ollama_proxy::support
