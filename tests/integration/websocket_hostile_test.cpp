// /v1/stream/ws: the handshake's gates, and RFC 6455 against frames that break it. The names in
// brackets are the sections of the Autobahn test suite whose rules a test stands for.

#include "integration/front_end.hpp"
#include "integration/websocket_support.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy {
namespace {

using support::ask;
using support::Chain;
using support::expect_failed;
using support::Json;
using support::kWsBinary;
using support::kWsClose;
using support::kWsContinuation;
using support::kWsPing;
using support::kWsPong;
using support::kWsText;
using support::RawClient;
using support::ws_handshake;
using support::WsClient;

/// The reply to a handshake that must fail.
support::HttpReply refused(const Chain& chain, const std::string& handshake) {
    RawClient client(chain.port());
    client.send(handshake);
    return client.read_reply();
}

TEST(WebSocketHandshake, WantsAWebSocketOfVersion13) {
    Chain chain({support::two_tokens()});
    for (const char* missing : {"Upgrade", "Connection", "Sec-WebSocket-Version"}) {
        const auto reply = refused(chain, ws_handshake({}, missing));
        EXPECT_EQ(reply.status, 426) << missing;
        EXPECT_EQ(reply.header("Upgrade"), "websocket");
        EXPECT_EQ(reply.header("Sec-WebSocket-Version"), "13");
        EXPECT_EQ(Json::parse(reply.body).at("error").at("code"), "invalid_request");
    }
    EXPECT_EQ(
        refused(chain, ws_handshake({{"Sec-WebSocket-Version", "8"}}, "Sec-WebSocket-Version"))
            .status,
        426);
    EXPECT_EQ(refused(chain, "GET /v1/stream/ws HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 426);
}

TEST(WebSocketHandshake, RefusesWhatIsAmbiguous) {
    Chain chain({support::two_tokens()});
    const auto status = [&](const std::string& handshake) {
        return refused(chain, handshake).status;
    };
    EXPECT_EQ(status(ws_handshake({}, "Sec-WebSocket-Key")), 400);
    EXPECT_EQ(status(ws_handshake({{"Sec-WebSocket-Key", "c2hvcnQ="}}, "Sec-WebSocket-Key")), 400);
    EXPECT_EQ(status(ws_handshake({{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}})), 400)
        << "twice";
    EXPECT_EQ(status(ws_handshake({{"Content-Length", "5"}}) + "hello"), 400);
    EXPECT_EQ(status(ws_handshake() + support::ws_frame(kWsText, "{}")), 400)
        << "nothing may follow before the answer";
    EXPECT_EQ(status(ws_handshake({{"X-Priority", "urgent"}})), 400);
    std::string old = ws_handshake();
    old.replace(old.find("HTTP/1.1"), 8, "HTTP/1.0");
    EXPECT_EQ(status(old), 400);
    std::string post = ws_handshake();
    post.replace(0, 3, "POST");
    const auto reply = refused(chain, post);
    EXPECT_EQ(reply.status, 405);
    EXPECT_EQ(reply.header("Allow"), "GET, OPTIONS");
}

TEST(WebSocketHandshake, PassesTheGatesOfEveryRouteBeforeThe101) {
    Chain chain({support::two_tokens()});
    const auto evil = refused(chain, ws_handshake({{"Origin", "https://evil.example"}}));
    EXPECT_EQ(evil.status, 403);
    EXPECT_EQ(Json::parse(evil.body).at("error").at("code"), "forbidden_origin");
    EXPECT_EQ(refused(chain, ws_handshake({{"Origin", "null"}})).status, 403);
    EXPECT_EQ(refused(chain, ws_handshake({{"Sec-Fetch-Site", "cross-site"}})).status, 403);
    const auto rebound = refused(chain, ws_handshake({{"Host", "evil.example"}}, "Host"));
    EXPECT_EQ(rebound.status, 403);
    EXPECT_EQ(Json::parse(rebound.body).at("error").at("code"), "forbidden_host");
    for (const char* origin : {"http://localhost:3000", "app://gui", "vscode-webview://x"}) {
        WsClient client(chain.port(), {{"Origin", origin}, {"Sec-Fetch-Site", "cross-site"}});
        client.send(ask("r"));
        EXPECT_EQ(support::joined_tokens(client.read_answer("r")), "Hello") << origin;
    }
}

TEST(WebSocketHandshake, WantsAKeyThatMayAskModels) {
    const config::Environment keys{{{"APP_KEY", "app-key"}, {"EYES_KEY", "eyes-key"}}};
    const std::string sections =
        support::kQuiet +
        "server: { auth: { enabled: true, api_keys: [\n"
        "  { name: app, key_env: APP_KEY, permissions: [inference, read] },\n"
        "  { name: eyes, key_env: EYES_KEY, permissions: [read] } ] } }\n";
    support::ScriptedBackend backend(support::two_tokens());
    support::TestDaemon daemon(
        support::config_yaml({support::backend_yaml("a", backend.port())}, sections), keys);
    daemon.wait_until_healthy("a", "app-key");
    const auto status = [&](const WsClient::Headers& headers) {
        RawClient client(daemon.port());
        client.send(ws_handshake(headers));
        return client.begin_reply().status;
    };
    EXPECT_EQ(status({}), 401);
    EXPECT_EQ(status({{"Authorization", "Bearer wrong"}}), 401);
    EXPECT_EQ(status({{"Authorization", "Bearer eyes-key"}}), 403);
    EXPECT_EQ(status({{"x-api-key", "app-key"}}), 101);
    WsClient client(daemon.port(), {{"Authorization", "Bearer app-key"}});
    client.send(ask("r"));
    EXPECT_EQ(support::joined_tokens(client.read_answer("r")), "Hello");
    EXPECT_EQ(backend.requests().at(0).header("Authorization"), "");
}

/// What is sent, and the close code that must come back.
void expect_closed(const std::string& bytes, int code, const char* what) {
    static Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send_raw(bytes);
    EXPECT_EQ(client.read_close(), code) << what;
    EXPECT_FALSE(client.read_frame()) << "the connection ends: " << what;
}

TEST(WebSocketFrames, ProtocolErrorsCloseWith1002) {
    using support::ws_frame;
    const std::string text = ask("r").dump();
    expect_closed(ws_frame(kWsText, text, 8, false), 1002, "not masked [RFC 5.1]");
    for (const int bits : {9, 10, 12, 15}) {
        expect_closed(ws_frame(kWsText, text, bits), 1002, "reserved bits [3]");
        expect_closed(ws_frame(kWsPing, "", bits), 1002, "reserved bits of a ping [3]");
    }
    for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        expect_closed(ws_frame(opcode, "x"), 1002, "reserved opcode [4]");
    }
    expect_closed(ws_frame(kWsPing, std::string(126, 'x')), 1002, "ping over 125 bytes [2.5]");
    expect_closed(ws_frame(kWsPing, "a", 0), 1002, "fragmented ping [5.1]");
    expect_closed(ws_frame(kWsPong, "a", 0), 1002, "fragmented pong [5.2]");
    expect_closed(ws_frame(kWsContinuation, "x"), 1002, "nothing to go on with [5.9]");
    expect_closed(ws_frame(kWsText, "{", 0) + ws_frame(kWsText, "}"), 1002,
                  "a new message inside of another [5.18]");
}

TEST(WebSocketFrames, CloseFramesAreAnsweredAndJudged) {
    using support::ws_frame;
    expect_closed(ws_frame(kWsClose, "\x03\xe8"), 1000, "normal [7.1]");
    expect_closed(ws_frame(kWsClose,
                           "\x03\xe8"
                           "bye"),
                  1000, "with a reason [7.3]");
    expect_closed(ws_frame(kWsClose, "\x0b\xb8"), 3000, "a library's code [7.7]");
    expect_closed(ws_frame(kWsClose, "\x0f\xa0"), 4000, "a private code [7.7]");
    expect_closed(ws_frame(kWsClose, "x"), 1002, "half a code [7.3]");
    expect_closed(ws_frame(kWsClose, "\x03\xe8" + std::string(124, 'x')), 1002, "too long [7.3]");
    expect_closed(ws_frame(kWsClose, std::string("\0\0", 2)), 1002, "code 0 [7.9]");
    expect_closed(ws_frame(kWsClose, "\x03\xe7"), 1002, "code 999 [7.9]");
    expect_closed(ws_frame(kWsClose, "\x03\xed"), 1002, "code 1005 [7.9]");
    expect_closed(ws_frame(kWsClose, "\x03\xee"), 1002, "code 1006 [7.9]");
}

TEST(WebSocketFrames, ACloseFrameWithoutACodeIsAnsweredWithOne) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send_frame(kWsClose, "");
    const auto frame = client.read_frame();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->opcode, kWsClose);
    EXPECT_FALSE(client.read_frame());
}

TEST(WebSocketFrames, TextThatIsNoUtf8ClosesWith1007) {
    using support::ws_frame;
    for (const char* bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
        expect_closed(ws_frame(kWsText, std::string("{\"a\":\"") + bad + "\"}"), 1007, "[6]");
        expect_closed(
            ws_frame(kWsText, "{\"a\":\"", 0) + ws_frame(kWsContinuation, std::string(bad) + "\"}"),
            1007, "in the second fragment [6]");
    }
    expect_closed(ws_frame(kWsClose, "\x03\xe8\xff"), 1002, "in a close reason [7.5]");
}

TEST(WebSocketFrames, BinaryMessagesCloseWith1003) {
    using support::ws_frame;
    expect_closed(ws_frame(kWsBinary, "{}"), 1003, "binary");
    expect_closed(ws_frame(kWsBinary, "{", 0) + ws_frame(kWsContinuation, "}"), 1003,
                  "binary in fragments");
}

TEST(WebSocketFrames, MessagesOverOneMebibyteCloseWith1009) {
    using support::ws_frame;
    const std::string half(600 * 1024, ' ');
    expect_closed(ws_frame(kWsText, half + half), 1009, "one frame");
    expect_closed(ws_frame(kWsText, half, 0) + ws_frame(kWsContinuation, half), 1009,
                  "fragments together");
    std::string announced("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14);
    expect_closed(announced, 1009, "announced only");
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    Json request = ask("big");
    request["prompt"] = std::string(900 * 1024, 'x');
    client.send(request);
    EXPECT_EQ(support::joined_tokens(client.read_answer("big")), "Hello");
}

TEST(WebSocketFrames, AClientThatIsStillSendingWhenItsMessageIsRefusedLearnsWhy) {
    // closing on what is unread would reset the connection, and many a client tells its user 1006
    Chain chain({support::two_tokens()});
    for (int i = 0; i < 5; ++i) {
        WsClient client(chain.port());
        const std::string much(8 * 1024 * 1024, ' ');
        EXPECT_TRUE(client.send_raw(support::ws_frame(kWsText, much))) << "it is read away";
        EXPECT_EQ(client.read_close(), 1009);
        EXPECT_FALSE(client.read_frame());
    }
}

TEST(WebSocketFrames, PingsAreAnsweredAnywhereAndFragmentsPutTogether) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    const auto pong = [&](const std::string& payload) {
        client.send_frame(kWsPing, payload);
        const auto frame = client.read_frame();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->opcode, kWsPong);
        EXPECT_EQ(frame->payload, payload);
        EXPECT_FALSE(frame->masked);
    };
    pong("");
    pong("hello");
    pong(std::string("\x00\xff\xfe\xfd", 4));
    pong(std::string(125, 'x'));
    client.send_frame(kWsPong, "nobody asked");
    const std::string text = ask("parts").dump();
    client.send_frame(kWsText, text.substr(0, 10), 0);
    pong("between fragments");
    client.send_frame(kWsContinuation, "", 0);
    for (std::size_t i = 10; i < text.size(); ++i) {
        client.send_frame(kWsContinuation, text.substr(i, 1), i + 1 == text.size() ? 8 : 0);
    }
    EXPECT_EQ(support::joined_tokens(client.read_answer("parts")), "Hello");
}

TEST(WebSocketFrames, BytesMayComeOneByOne) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    for (const char byte : support::ws_frame(kWsText, ask("slow").dump())) {
        client.send_raw(std::string(1, byte));
    }
    EXPECT_EQ(support::joined_tokens(client.read_answer("slow")), "Hello");
}

TEST(WebSocketFrames, GarbageEndsTheConnection) {
    Chain chain({support::two_tokens()});
    WsClient client(chain.port());
    client.send_raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(client.read_close(), 1002);
}

TEST(WebSocketFrames, CompressionIsAgreedToOnlyWhereItIsSwitchedOn) {
    const WsClient::Headers offer{{"Sec-WebSocket-Extensions", "permessage-deflate"}};
    Chain off({support::two_tokens()});
    const WsClient plain(off.port(), offer);
    EXPECT_EQ(plain.head().find("permessage-deflate"), std::string::npos);
    Chain::Extra extra;
    extra.sections += "websocket: {deflate: true}\n";
    Chain on({support::two_tokens()}, extra);
    WsClient client(on.port(), offer);
    EXPECT_NE(client.head().find("permessage-deflate"), std::string::npos);
    client.send(ask("short"));
    EXPECT_EQ(support::joined_tokens(client.read_answer("short")), "Hello")
        << "a token is too short to be compressed";
}

TEST(WebSocketFrames, LimitsAreThoseOfTheConfiguration) {
    Chain::Extra extra;
    extra.sections += "websocket: {frame_bytes: 200, max_in_flight: 1}\n";
    Chain chain({support::ScriptedBackend::answering(
                    [](support::Peer& peer, const support::RecordedRequest&) {
                        peer.begin_chunked(support::kNdjson);
                        peer.chunk(support::generate_line("x"));
                        peer.wait_closed();
                    })},
                extra);
    WsClient client(chain.port());
    client.send(ask("1"));
    EXPECT_EQ(client.read_json().at("token"), "x");
    client.send(ask("2"));
    expect_failed(client.read_json(), "2", "queue_full");
    client.send_text(std::string(201, ' '));
    EXPECT_EQ(client.read_close(), 1009);
}

}  // namespace
}  // namespace ollama_proxy
