// Model management whose backend breaks: before its first byte, between two lines, inside one.

#include "front_end.hpp"
#include "metric_growth.hpp"

namespace ollama_proxy::front_end {
namespace {

constexpr const char* kNdjson = "application/x-ndjson";
const std::string kPulling = "{\"status\":\"pulling\"}\n";
const std::string kSuccess = "{\"status\":\"success\"}\n";
const std::string kPull = R"({"model":"x"})";

/// A daemon in front of one backend.
struct Behind {
    explicit Behind(ScriptedBackend::Script script, ScriptedBackend::Options options = {})
        : backend(std::move(script), std::move(options)),
          daemon(support::config_yaml({support::backend_yaml("a", backend.port())})) {
        daemon.wait_until_healthy("a");
    }
    ScriptedBackend backend;
    TestDaemon daemon;
};

/// Answers each request with these bytes, head included, and closes.
ScriptedBackend::Script saying(std::string bytes) {
    return ScriptedBackend::answering([bytes](Peer& peer, const RecordedRequest&) {
        peer.send(bytes);
        peer.close();
    });
}

std::string head(std::string_view framing, std::string_view type = kNdjson) {
    return "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) + "\r\n" + std::string(framing) +
           "\r\n";
}
const std::string kChunked = "Transfer-Encoding: chunked\r\n";
const std::string kUntilClose = "Connection: close\r\n";

HttpReply pulled(const Behind& behind) {
    return support::http_post(behind.daemon.port(), "/api/pull", kPull);
}

/// Row 6: the head alone commits nothing.
TEST(BrokenManagement, AnAnswerWithoutAFirstByteIs502) {
    for (const std::string& bytes :
         {head(kChunked), head("Content-Length: 40\r\n"), head(kUntilClose), head(kChunked) + "zz",
          head(kChunked, "application/json")}) {
        SCOPED_TRACE(bytes);
        const Behind behind(saying(bytes));
        const support::Growth growth(behind.daemon);
        RawClient client(behind.daemon.port());
        for (const char* path : {"/api/pull", "/api/blobs/sha256:aa"}) {
            client.send_request("POST", path, kPull);
            const auto reply = client.read_reply("POST");
            EXPECT_NE(expect_error(reply, Shape::ollama, 502, "bad_gateway"), "");
            EXPECT_EQ(reply.header("X-Backend-Used"), "a");
        }
        EXPECT_EQ(client.get("/healthz").status, 200) << "the connection is as good as before";
        EXPECT_EQ(growth.of("ollama_proxy_failures_total", {{"reason", "bad_gateway"}}), 2);
        EXPECT_EQ(growth.of("ollama_proxy_http_requests_total",
                            {{"route", "/api/pull"}, {"code", "502"}}),
                  1);
    }
}

TEST(BrokenManagement, AnUnloadWithoutAFirstByteIs502) {
    ScriptedBackend::Options options;
    options.loaded_models = {"test-model"};
    const Behind behind(saying(head(kChunked, "application/json")), options);
    wait_until_known(behind.daemon, "a", 1, 1);
    const auto reply = support::http_post(behind.daemon.port(), "/api/generate",
                                          R"({"model":"test-model","keep_alive":0})");
    expect_error(reply, Shape::ollama, 502, "bad_gateway");
}

TEST(BrokenManagement, AnAnswerWithoutABodyIsNoFailure) {
    const Behind behind(saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    const auto reply = support::http_post(behind.daemon.port(), "/api/copy",
                                          R"({"source":"x","destination":"y"})");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "");
    EXPECT_TRUE(reply.clean_end);
}

TEST(BrokenManagement, ARequestThatIsNoneIsRefusedHere) {
    const Behind behind(saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    std::string deep;
    for (int i = 0; i < 70; ++i) deep += "{\"a\":";
    for (const std::string& body : {std::string("hello"), std::string("[]"), std::string(), deep}) {
        SCOPED_TRACE(body.substr(0, 20));
        expect_error(support::http_post(behind.daemon.port(), "/api/pull", body), Shape::ollama,
                     400, "invalid_request");
    }
    const auto reply =
        support::http_post(behind.daemon.port(), "/api/pull", kPull, {{"X-Priority", "urgent"}});
    EXPECT_EQ(reply.status, 400);
    EXPECT_NE(reply.body.find("X-Priority"), std::string::npos) << reply.body;
    EXPECT_EQ(behind.backend.request_count(), 0U);
}

/// Row 7.
TEST(BrokenManagement, AProgressThatIsCutBetweenTwoLinesEndsWithAnErrorLine) {
    for (const std::string& pieces :
         {support::chunk_of(kPulling), support::chunk_of(kPulling) + "5\r\n"}) {
        SCOPED_TRACE(pieces);
        const Behind behind(saying(head(kChunked) + pieces));
        const auto reply = pulled(behind);
        EXPECT_EQ(reply.status, 200);
        EXPECT_TRUE(reply.body.starts_with(kPulling + "{\"error\":\"")) << reply.body;
        EXPECT_TRUE(reply.body.ends_with("\"}\n")) << reply.body;
        EXPECT_FALSE(reply.clean_end) << "a cut stream that looks complete";
    }
}

TEST(BrokenManagement, NothingIsPutIntoALine) {
    const std::string cut = kPulling + "{\"status\":\"pul";
    const Behind behind(saying(head(kChunked) + support::chunk_of(cut)));
    const auto reply = pulled(behind);
    EXPECT_EQ(reply.body, cut);
    EXPECT_FALSE(reply.clean_end);
}

/// What is of an announced length, or no progress at all, would take our line for its own.
TEST(BrokenManagement, NothingIsPutIntoWhatDoesNotConsistOfLines) {
    for (const std::string& begin :
         {head("Content-Length: 400\r\n"), head("Content-Length: 400\r\n", "application/json")}) {
        SCOPED_TRACE(begin);
        const Behind behind(saying(begin + kPulling));
        const auto reply = pulled(behind);
        EXPECT_EQ(reply.body, kPulling);
        EXPECT_FALSE(reply.clean_end);
    }
    const Behind behind(saying(head(kChunked, "application/json") + support::chunk_of(kPulling)));
    const auto reply = pulled(behind);
    EXPECT_EQ(reply.body, kPulling);
    EXPECT_FALSE(reply.clean_end);
}

/// Row 23: the end of the connection proves nothing, the last line does.
TEST(BrokenManagement, TheEndOfAConnectionIsTheEndOnlyBehindTheLastLine) {
    const std::string begin = head(kUntilClose);
    const Behind between(saying(begin + kPulling));
    const auto told = pulled(between);
    EXPECT_TRUE(told.body.starts_with(kPulling + "{\"error\":\"")) << told.body;
    EXPECT_FALSE(told.clean_end);

    const std::string cut = kPulling + "{\"status\":\"succ";
    const Behind inside(saying(begin + cut));
    const auto untold = pulled(inside);
    EXPECT_EQ(untold.body, cut);
    EXPECT_FALSE(untold.clean_end);

    for (const std::string& end :
         {kSuccess, std::string(R"({"status":"success"})"), std::string("{\"error\":\"no\"}\n")}) {
        SCOPED_TRACE(end);
        const Behind whole(saying(begin + kPulling + end));
        const auto reply = pulled(whole);
        EXPECT_EQ(reply.body, kPulling + end);
        EXPECT_TRUE(reply.clean_end);
    }
}

TEST(BrokenManagement, AtTheEndOfTheGraceAProgressEndsWithAnErrorLine) {
    Behind behind(ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
        peer.begin_chunked(kNdjson);
        peer.chunk(kPulling);
        (void)peer.wait_closed();
    }));
    RawClient client(behind.daemon.port());
    client.send_request("POST", "/api/pull", kPull);
    auto reply = client.begin_reply("POST");
    EXPECT_TRUE(client.read_until(reply, kPulling));
    behind.daemon.stop();
    while (client.read_piece(reply)) {
    }
    EXPECT_TRUE(reply.body.starts_with(kPulling + "{\"error\":\"")) << reply.body;
    EXPECT_FALSE(reply.clean_end);
}

}  // namespace
}  // namespace ollama_proxy::front_end
