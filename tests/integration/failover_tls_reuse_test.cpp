// Rows 4, 24 and 25 of the failures contract over TLS: what a backend sends unasked, and answers
// that come before the upload is done.

#include "integration/tls_backend.hpp"
#include "support/environment.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::kAnswer;
using support::kChat;

const std::string kUpload = "/api/blobs/sha256:aa";

/// A daemon in front of one TLS backend, which it trusts.
class TlsPair {
  public:
    explicit TlsPair(TlsBackend::Options options)
        : backend_(identity_, std::move(options)),
          daemon_(tls_config(backend_.port(), folder_.write("ca.pem", identity_.pem()).string())) {
        daemon_.wait_until_healthy("s");
    }
    [[nodiscard]] TlsBackend& backend() { return backend_; }
    [[nodiscard]] std::uint16_t port() const { return daemon_.port(); }

  private:
    const Identity identity_{"IP:127.0.0.1"};
    const support::TempDir folder_;
    TlsBackend backend_;
    const support::TestDaemon daemon_;
};

struct Unasked {
    const char* name;
    std::function<void(const TlsCall&)> send;
    bool is_harmless;
};

std::vector<Unasked> unasked() {
    return {
        {"another answer", [](const TlsCall& call) { call.reply(200, R"({"evil":1})"); }, false},
        {"a goodbye", [](const TlsCall& call) { SSL_shutdown(call.tls); }, false},
        {"a session ticket",
         [](const TlsCall& call) {
             SSL_new_session_ticket(call.tls);
             SSL_do_handshake(call.tls);
         },
         true},
    };
}

/// Lets the first answer be followed by this, in the same segment or in one of its own. Returns
/// on which connections the requests came: the second is another `next`.
std::vector<int> after(const Unasked& one, bool at_once, std::string_view next) {
    std::atomic<bool> has_arrived{false};
    TlsPair pair({.responder = [&](const TlsCall& call) {
        if (call.number > 1) return call.reply(200, kAnswer);
        call.hold(at_once);
        call.reply(200, kAnswer);
        one.send(call);
        call.hold(false);
        has_arrived = call.arrived();
    }});
    support::RawClient client(pair.port());
    EXPECT_EQ(client.post(kChat, chat_body()).body, kAnswer);
    EXPECT_TRUE(support::eventually([&] { return has_arrived.load(); }));
    for (const std::string_view path : {next, kChat}) {
        EXPECT_EQ(client.post(path, chat_body(), {{"X-Target-Backend", "s"}}).body, kAnswer);
    }
    return pair.backend().chat_connections();
}

TEST(FailoverTlsReuse, WhatComesUnaskedIsNobodysAnswerAndCostsTheConnectionOnly) {
    for (const Unasked& one : unasked()) {
        for (const bool at_once : {true, false}) {
            SCOPED_TRACE(std::string(one.name) + (at_once ? " at once" : " afterwards"));
            const auto used = after(one, at_once, kChat);
            ASSERT_EQ(used.size(), 3U) << "asked again";
            EXPECT_EQ(used[1] == used[0], one.is_harmless);
            EXPECT_EQ(used[2], used[1]) << "and that one is kept";
        }
    }
}

TEST(FailoverTlsReuse, AnUploadAfterAGoodbyeSucceeds) {
    for (const bool at_once : {true, false}) {
        SCOPED_TRACE(at_once);
        const auto used = after(unasked().at(1), at_once, kUpload);
        ASSERT_EQ(used.size(), 3U);
        EXPECT_NE(used[1], used[0]);
    }
}

TEST(FailoverTlsReuse, AnAnswerBeforeTheBodyIsReadIsRelayed) {
    TlsPair pair({.responder = [](const TlsCall& call) { call.reply(413, R"({"own":1})"); },
                  .reads_bodies = false,
                  .receive_buffer = 64 * 1024});
    const std::string body = R"({"model":"test-model","messages":[{"role":"user","content":")" +
                             std::string(8 << 20, 'x') + "\"}]}";
    const auto reply = support::http_post(pair.port(), kChat, body);
    EXPECT_EQ(reply.status, 413);
    EXPECT_EQ(reply.body, R"({"own":1})");
    EXPECT_EQ(pair.backend().chats(), 1);
}

TEST(FailoverTlsReuse, AnAnswerBeforeAnUploadIsDoneIsRelayed) {
    TlsPair pair({.responder = [](const TlsCall& call) { call.reply(413, R"({"own":1})"); },
                  .reads_bodies = false,
                  .receive_buffer = 64 * 1024});
    support::RawClient client(pair.port());
    client.send("POST " + kUpload +
                " HTTP/1.1\r\nHost: localhost\r\nX-Target-Backend: s\r\n"
                "Content-Length: 50000000\r\n\r\n");
    // as clients do: sending on until an answer is there
    const std::string block(65536, 'b');
    for (int i = 0; i < 700 && client.stays_silent(support::Milliseconds(1)); ++i) {
        client.send(block);
    }
    const auto reply = client.read_reply("POST");
    EXPECT_EQ(reply.status, 413);
    EXPECT_EQ(reply.body, R"({"own":1})");
}

/// The first request on a connection finds the tickets of the handshake unread.
TEST(FailoverTlsReuse, TicketsThatComeDuringALargeRequestAreNoAnswer) {
    TlsPair pair({.receive_buffer = 64 * 1024});
    const std::string body = R"({"model":"test-model","messages":[{"role":"user","content":")" +
                             std::string(3 << 20, 'x') + "\"}]}";
    EXPECT_EQ(support::http_post(pair.port(), kChat, body).body, kAnswer);
    EXPECT_EQ(pair.backend().longest(), body.size());
    EXPECT_EQ(pair.backend().chats(), 1);
}

}  // namespace
}  // namespace ollama_proxy
