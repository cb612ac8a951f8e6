// What the client wrote is what the backend reads, and what the backend wrote is what the client
// reads, byte for byte.

#include "integration/relay_support.hpp"

#include <gtest/gtest.h>

#include <random>

namespace ollama_proxy {
namespace {

using support::Chain;
using support::kChat;
using support::Peer;
using support::RawClient;
using support::RecordedRequest;
using support::ScriptedBackend;

const std::string kOdd =
    "{\r\n\t\"messages\" :[ {\"content\":\"\\u00e4\\ud83d\\ude00 \xc3\xa4 \\/ \\\" \\\\\", "
    "\"role\":\"user\"}],\n"
    "  \"unknown\": {\"deep\":[1e0,-0.0,1E+2,true ,null,{}]}, \"model\"  :  \"test-model\" ,"
    "\"seed\":123456789012345678901234567890,\"tools\":[{\"x\":\"]}\"}]}\n ";

std::string post_head(std::string_view framing) {
    return "POST " + std::string(kChat) +
           " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
           std::string(framing) + "\r\n\r\n";
}

TEST(Identity, OddJsonReachesTheBackendAndComesBackAsItWas) {
    Chain chain({ScriptedBackend::answering(
        [](Peer& peer, const RecordedRequest& request) { peer.reply(200, request.body); })});
    const auto reply = chain.post(kOdd);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, kOdd);
    EXPECT_EQ(chain[0].requests().at(0).body, kOdd);
    EXPECT_EQ(chain[0].requests()[0].head.count("Content-Length"), 1U);
    EXPECT_EQ(chain[0].requests()[0].head.count("Transfer-Encoding"), 0U);
}

TEST(Identity, ABodyCutBetweenAnyTwoBytesIsTheSameBody) {
    Chain chain({ScriptedBackend::answering(
        [](Peer& peer, const RecordedRequest& request) { peer.reply(200, request.body); })});
    RawClient client(chain.port());
    for (std::size_t cut = 1; cut < kOdd.size(); ++cut) {
        client.send(post_head("Transfer-Encoding: chunked"));
        client.send(support::chunk_of(kOdd.substr(0, cut)));
        client.send(support::chunk_of(kOdd.substr(cut)) + support::chunk_of({}));
        ASSERT_EQ(client.read_reply("POST").body, kOdd) << "chunks cut at " << cut;
        client.send(post_head("Content-Length: " + std::to_string(kOdd.size())) +
                    kOdd.substr(0, cut));
        client.send(kOdd.substr(cut));
        ASSERT_EQ(client.read_reply("POST").body, kOdd) << "packets cut at " << cut;
    }
    for (const auto& request : chain[0].requests()) ASSERT_EQ(request.body, kOdd);
    EXPECT_EQ(chain[0].request_count(), 2 * (kOdd.size() - 1));
}

TEST(Identity, AReplyCutBetweenAnyTwoBytesIsTheSameReply) {
    std::atomic<std::size_t> cut{0};
    std::atomic<int> framing{0};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        if (framing == 0) {
            peer.begin_chunked("application/json");
            peer.chunk(kOdd.substr(0, cut));
            peer.chunk(kOdd.substr(cut));
            return peer.end_chunked();
        }
        const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        peer.send(head +
                  (framing == 1 ? "Content-Length: " + std::to_string(kOdd.size())
                                : std::string("Connection: close")) +
                  "\r\n\r\n" + kOdd.substr(0, cut));
        peer.send(kOdd.substr(cut));
        if (framing == 2) peer.close();
    })});
    RawClient client(chain.port());
    for (framing = 0; framing < 3; ++framing) {
        for (cut = 1; cut < kOdd.size(); cut += framing == 2 ? 7 : 1) {
            const auto reply = client.post(kChat, support::chat_body());
            ASSERT_EQ(reply.body, kOdd) << "framing " << framing << " cut at " << cut;
            ASSERT_EQ(reply.header("Content-Length"), std::to_string(kOdd.size()));
        }
    }
}

TEST(Identity, AHeadCutBetweenAnyTwoBytesIsTheSameHead) {
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Own: a\r\nContent-Length: "
        "2\r\n\r\n{}";
    std::atomic<std::size_t> cut{0};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        peer.send(answer.substr(0, cut));
        peer.send(answer.substr(cut));
    })});
    RawClient client(chain.port());
    for (cut = 1; cut < answer.size(); ++cut) {
        const auto reply = client.post(kChat, support::chat_body());
        ASSERT_EQ(reply.body, "{}") << "cut at " << cut;
        ASSERT_EQ(reply.header("X-Own"), "a");
    }
}

TEST(Identity, AnImageOfTenMegabytesSurvivesAnyFraming) {
    std::string image;
    std::mt19937 random(7);
    while (image.size() < 10'000'000) {
        image += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[random() % 64];
    }
    const std::string body = R"({"model":"test-model","messages":[{"role":"user","content":[)"
                             R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
                             image + R"("}}]}]})";
    Chain chain({ScriptedBackend::answering(
        [](Peer& peer, const RecordedRequest& request) { peer.reply(200, request.body); })});
    EXPECT_TRUE(chain.post(body).body == body);
    RawClient client(chain.port());
    client.send(post_head("Transfer-Encoding: chunked"));
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t size = 1 + random() % 200'000;
        client.send(support::chunk_of(std::string_view(body).substr(at, size)));
        at += size;
    }
    client.send(support::chunk_of({}));
    EXPECT_TRUE(client.read_reply("POST").body == body);
    for (const auto& request : chain[0].requests()) EXPECT_TRUE(request.body == body);
}

TEST(Identity, AReplyOverTheHoldLimitIsWholeAndTheSame) {
    std::string large;
    while (large.size() < 20'000'000) large += "0123456789abcdef" + std::to_string(large.size());
    std::atomic<bool> chunked{false};
    Chain chain({ScriptedBackend::answering([&](Peer& peer, const RecordedRequest&) {
        if (!chunked) return peer.reply(200, large);
        peer.begin_chunked("application/json");
        for (std::size_t i = 0; i < large.size(); i += 99'991) {
            peer.chunk(std::string_view(large).substr(i, 99'991));
        }
        peer.end_chunked();
    })});
    for (const bool way : {false, true}) {
        chunked = way;
        const auto reply = chain.post(support::chat_body());
        EXPECT_TRUE(reply.body == large) << reply.body.size();
        EXPECT_TRUE(reply.clean_end);
    }
    EXPECT_EQ(chain.count("a", "in_flight"), 0);
}

TEST(Identity, AnAliasChangesNothingButTheNameOfTheModel) {
    Chain::Extra extra;
    extra.sections = support::kQuiet + "router: {aliases: {\"gpt \\\"x\\\"\": \"test-model\"}}";
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest& request) {
                    peer.reply(200, request.body);
                })},
                extra);
    std::string body = kOdd;
    const std::size_t at = body.find("\"test-model\"");
    body.replace(at, 12, R"("gp\u0074 \"x\"")");
    const auto reply = chain.post(body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(chain[0].requests().at(0).body, kOdd);
    EXPECT_EQ(reply.body, kOdd) << "the backend's own words";
}

TEST(Identity, HopByHopFieldsAndSecretsStayWhereTheyBelong) {
    Chain::Extra extra;
    extra.per_backend = "headers: {X-Team: blue}";
    Chain chain({ScriptedBackend::answering([](Peer& peer, const RecordedRequest&) {
                    peer.reply(200, support::kAnswer, "application/json",
                               "Connection: X-Private, keep-alive\r\nX-Private: 1\r\n"
                               "Set-Cookie: a=b\r\nServer: engine\r\nX-Backend-Used: other\r\n"
                               "Access-Control-Allow-Origin: *\r\nX-Kept: yes\r\n");
                })},
                extra);
    const auto reply = chain.post(support::chat_body(), {{"Authorization", "Bearer client"},
                                                         {"Cookie", "c=d"},
                                                         {"X-Priority", "high"},
                                                         {"Connection", "X-Hop"},
                                                         {"X-Hop", "1"}});
    const auto seen = chain[0].requests().at(0);
    EXPECT_EQ(seen.header("X-Team"), "blue");
    EXPECT_EQ(seen.header("Host"), "127.0.0.1:" + std::to_string(chain[0].port()));
    for (const char* name : {"Authorization", "Cookie", "X-Priority", "X-Hop"}) {
        EXPECT_EQ(seen.head.count(name), 0U) << name;
    }
    for (const char* name : {"X-Private", "Set-Cookie", "Server", "Access-Control-Allow-Origin"}) {
        EXPECT_FALSE(reply.has_header(name)) << name;
    }
    EXPECT_EQ(reply.head.count("X-Backend-Used"), 1U);
    EXPECT_EQ(reply.header("X-Backend-Used"), "a");
    EXPECT_EQ(reply.header("X-Kept"), "yes");
}

}  // namespace
}  // namespace ollama_proxy
