// Model management: which backend gets it, what of it arrives, and blobs that are never held.

#include "front_end.hpp"

#include <future>
#include <set>
#include <vector>

namespace ollama_proxy::front_end {
namespace {

struct Way {
    const char* method;
    const char* path;
    const char* body;
};
const std::vector<Way> kWays{
    {"POST", "/api/pull", R"({ "model":"x" })"},
    {"POST", "/api/push", R"({"model":"x"})"},
    {"POST", "/api/create", R"({"model":"x","from":"y"})"},
    {"POST", "/api/copy", R"({"source":"x","destination":"y"})"},
    {"DELETE", "/api/delete", R"({"model":"x"})"},
    {"HEAD", "/api/blobs/sha256:00", ""},
    {"POST", "/api/blobs/sha256:00", "bytes"},
};

/// Asks each route of two ollama backends behind an openai one; returns who was asked.
std::set<std::string> asked(std::string_view more, const Headers& headers) {
    ScriptedBackend cloud(ScriptedBackend::answering_json("{}"));
    ScriptedBackend one(ScriptedBackend::answering_json("{}"));
    ScriptedBackend two(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("cloud", cloud.port(), "type: openai"),
         support::backend_yaml("off", one.port(), "enabled: false"),
         support::backend_yaml("one", one.port()), support::backend_yaml("two", two.port())},
        more));
    for (const char* id : {"cloud", "one", "two"}) daemon.wait_until_healthy(id);
    std::set<std::string> ids;
    for (const Way& way : kWays) {
        SCOPED_TRACE(std::string(way.method) + " " + way.path);
        const std::size_t before =
            cloud.request_count() + one.request_count() + two.request_count();
        RawClient client(daemon.port());
        const auto reply = client.request(way.method, way.path, way.body, headers);
        EXPECT_EQ(reply.status, 200) << reply.raw;
        ids.insert(reply.header("X-Backend-Used"));
        EXPECT_EQ(cloud.request_count() + one.request_count() + two.request_count(), before + 1)
            << "fanned out, or not sent";
    }
    for (const ScriptedBackend* backend : {&cloud, &one, &two}) {
        if (backend->request_count() == 0) continue;
        const auto requests = backend->requests();
        EXPECT_EQ(requests.size(), kWays.size());
        for (std::size_t i = 0; i < requests.size(); ++i) {
            EXPECT_EQ(requests[i].method, kWays[i].method);
            EXPECT_EQ(requests[i].target, kWays[i].path);
            EXPECT_EQ(requests[i].body, kWays[i].body);
        }
    }
    return ids;
}

using Ids = std::set<std::string>;

TEST(Management, GoesToTheFirstEnabledOllamaAlone) { EXPECT_EQ(asked("", {}), Ids{"one"}); }

TEST(Management, GoesToTheDefaultBackendWhereOneIsConfigured) {
    EXPECT_EQ(asked("router: { default_backend: two }", {}), Ids{"two"});
}

TEST(Management, GoesToTheTargetThatIsNamed) {
    EXPECT_EQ(asked("router: { default_backend: one }", {{"X-Target-Backend", "two"}}), Ids{"two"});
}

TEST(Management, ABackendsErrorIsPassedOnAndNotRetried) {
    ScriptedBackend one(ScriptedBackend::answering_json(R"({"error":"no space"})", 500));
    ScriptedBackend two(ScriptedBackend::answering_json("{}"));
    const TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("one", one.port()), support::backend_yaml("two", two.port())}));
    daemon.wait_until_healthy("one");
    const auto reply = support::http_post(daemon.port(), "/api/pull", R"({"model":"x"})");
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, R"({"error":"no space"})");
    EXPECT_EQ(one.request_count(), 1U);
    EXPECT_EQ(two.request_count(), 0U);
}

TEST(Management, ProgressComesLineByLine) {
    std::promise<void> seen;
    std::shared_future<void> first_was_seen = seen.get_future().share();
    ScriptedBackend backend(
        ScriptedBackend::answering([first_was_seen](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked("application/x-ndjson");
            peer.chunk("{\"status\":\"pulling\"}\n");
            first_was_seen.wait_for(support::kPatience);
            peer.chunk("{\"status\":\"success\"}\n");
            peer.end_chunked();
        }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    RawClient client(daemon.port());
    client.send_request("POST", "/api/pull", R"({"model":"x"})");
    auto reply = client.begin_reply("POST");
    EXPECT_EQ(reply.header("Content-Type"), "application/x-ndjson");
    EXPECT_TRUE(client.read_until(reply, "pulling"));
    seen.set_value();
    EXPECT_TRUE(client.read_until(reply, "success"));
    while (client.read_piece(reply)) {
    }
    EXPECT_TRUE(reply.clean_end);
}

TEST(Management, AClientThatLeavesAPullEndsIt) {
    std::promise<void> closed;
    ScriptedBackend backend(
        ScriptedBackend::answering([&closed](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked("application/x-ndjson");
            peer.chunk("{\"status\":\"pulling\"}\n");
            (void)peer.wait_closed();
            closed.set_value();
        }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    RawClient client(daemon.port());
    client.send_request("POST", "/api/pull", R"({"model":"x"})");
    auto reply = client.begin_reply("POST");
    client.close();
    EXPECT_EQ(closed.get_future().wait_for(support::kPatience), std::future_status::ready);
}

TEST(Blobs, HeadTellsWhetherABackendHasOneAndLeavesTheConnectionUsable) {
    ScriptedBackend backend(
        ScriptedBackend::answering([](Peer& peer, const RecordedRequest& request) {
            const bool has = request.target == "/api/blobs/sha256:aa";
            peer.send(has ? "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
                          : "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n");
        }));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    RawClient client(daemon.port());
    for (int i = 0; i < 2; ++i) {
        const auto has = client.request("HEAD", "/api/blobs/sha256:aa");
        EXPECT_EQ(has.status, 200);
        EXPECT_EQ(client.request("HEAD", "/api/blobs/sha256:bb").status, 404);
    }
    EXPECT_EQ(client.get("/healthz").body, "alive\n");
}

TEST(Blobs, ChunksArriveAsTheyWereAndSmallOnesWholeInOrder) {
    ScriptedBackend backend(ScriptedBackend::answering_json("", 201));
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())},
                                                 "server: { limits: { body_bytes: 10 } }"));
    daemon.wait_until_healthy("a");
    std::string blob;
    for (int i = 0; i < 40000; ++i) blob += std::to_string(i);
    RawClient client(daemon.port());
    client.send(
        "POST /api/blobs/sha256:aa HTTP/1.1\r\nHost: localhost\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < blob.size(); at += 7001) {
        client.send(support::chunk_of(std::string_view(blob).substr(at, 7001)));
    }
    client.send(support::chunk_of({}));
    EXPECT_EQ(client.read_reply("POST").status, 201);
    // with a length, through the same connection, and over the limit of ordinary bodies
    EXPECT_EQ(client.post("/api/blobs/sha256:bb", blob).status, 201);
    const auto requests = backend.requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_TRUE(requests[0].body == blob);
    EXPECT_TRUE(requests[1].body == blob);
    EXPECT_EQ(requests[1].header("Content-Length"), std::to_string(blob.size()));
}

TEST(Blobs, AMalformedUploadIsCutAtTheBackend) {
    ScriptedBackend backend([](Peer& peer) {
        // the last chunk must never come: the blob would look whole
        try {
            (void)peer.read_request();
        } catch (const support::PeerGone&) {
            return;
        }
        throw std::runtime_error("the upload looks whole");
    });
    const TestDaemon daemon(support::config_yaml({support::backend_yaml("a", backend.port())}));
    daemon.wait_until_healthy("a");
    for (const char* bad : {"5\r\nhelloXX", "zz\r\n"}) {
        RawClient client(daemon.port());
        client.send(
            "POST /api/blobs/sha256:aa HTTP/1.1\r\nHost: localhost\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" +
            std::string(bad) + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        expect_error(client.read_reply("POST"), Shape::ollama, 400, "invalid_request");
        EXPECT_EQ(client.read_to_end(), "");
    }
    // and one who leaves in the middle
    RawClient client(daemon.port());
    client.send(
        "POST /api/blobs/sha256:aa HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 10\r\n\r\nabc");
    client.close();
    EXPECT_TRUE(support::eventually([&] { return backend.connection_count() >= 3; }));
    EXPECT_EQ(backend.request_count(), 0U);
    EXPECT_TRUE(backend.failures().empty());
}

}  // namespace
}  // namespace ollama_proxy::front_end
