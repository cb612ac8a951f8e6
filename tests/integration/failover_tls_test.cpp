// Backends behind TLS: a certificate of the configured authority works, any other does not.

#include "integration/tls_backend.hpp"
#include "support/environment.hpp"

#include <gtest/gtest.h>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::kAnswer;
using support::kChat;

TEST(FailoverTls, ABackendOfTheConfiguredAuthorityServesOnOneConnection) {
    const Identity identity("IP:127.0.0.1");
    TlsBackend backend(identity);
    const support::TempDir folder;
    const auto ca = folder.write("ca.pem", identity.pem());
    const support::TestDaemon daemon(tls_config(backend.port(), ca.string()));
    daemon.wait_until_healthy("s");
    support::RawClient client(daemon.port());
    EXPECT_EQ(client.post(kChat, chat_body()).body, kAnswer);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.post(kChat, chat_body()).status, 200);
    const std::vector<int> used = backend.chat_connections();
    EXPECT_EQ(used, std::vector<int>(4, used.at(0)));
    EXPECT_EQ(daemon.backend("s")->at("failures"), 0);
}

TEST(FailoverTls, AnotherAuthorityOrAnotherNameIsRefused) {
    const Identity mine("IP:127.0.0.1");
    const Identity other("IP:127.0.0.1");
    const Identity elsewhere("DNS:elsewhere.example");
    const support::TempDir folder;
    const auto check = [&](const Identity& server, const Identity& trusted) {
        TlsBackend backend(server);
        const auto ca = folder.write("ca.pem", trusted.pem());
        const support::TestDaemon daemon(tls_config(backend.port(), ca.string()));
        daemon.wait_until_unhealthy("s");
        const auto reply = support::http_post(daemon.port(), kChat, chat_body());
        EXPECT_EQ(reply.status, 503);
        EXPECT_EQ(backend.chats(), 0);
    };
    check(mine, other);
    check(elsewhere, elsewhere);
}

TEST(FailoverTls, CertificatesThatWereRenewedAreTrustedWithoutARestart) {
    const Identity identity("IP:127.0.0.1");
    const Identity other("IP:127.0.0.1");
    TlsBackend backend(identity);
    const support::TempDir folder;
    const auto ca = folder.write("ca.pem", other.pem());
    const support::TestDaemon daemon(tls_config(backend.port(), ca.string()));
    daemon.wait_until_unhealthy("s");
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 503);
    folder.write("ca.pem", identity.pem());
    daemon.wait_until_healthy("s");
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 200);
    const int before = backend.handshakes();
    folder.write("ca.pem", "what is no certificate");
    EXPECT_TRUE(support::eventually([&] { return backend.handshakes() > before + 1; }));
    EXPECT_EQ(daemon.backend("s")->at("healthy"), true) << "the former trust holds on";
}

TEST(FailoverTls, SilenceAndALeavingClientEndATlsConnectionCleanly) {
    const Identity identity("IP:127.0.0.1");
    TlsBackend backend(identity);
    backend.silent = true;
    const support::TempDir folder;
    const auto ca = folder.write("ca.pem", identity.pem());
    const support::TestDaemon daemon(
        tls_config(backend.port(), ca.string(), "    timeouts: {whole_ms: 150}\n"));
    daemon.wait_until_healthy("s");
    EXPECT_EQ(support::http_post(daemon.port(), kChat, chat_body()).status, 504);
    support::RawClient client(daemon.port());
    client.send_request("POST", kChat, chat_body(true));
    EXPECT_TRUE(support::eventually([&] { return backend.chats() == 2; }));
    client.close();
    EXPECT_TRUE(support::eventually([&] { return daemon.backend("s")->at("in_flight") == 0; }));
    EXPECT_EQ(daemon.backend("s")->at("failures"), 1) << "the timeout, not the client";
}

TEST(FailoverTls, AProbeOfADeafServerEndsInTime) {
    support::ScriptedBackend::Options options;
    options.answers_probes = false;
    support::ScriptedBackend deaf([](support::Peer& peer) { peer.wait_closed(); }, options);
    const support::TestDaemon daemon(
        "backends:\n  - id: s\n    type: openai\n    endpoint: \"https://127.0.0.1:" +
        std::to_string(deaf.port()) + "\"\nhealth: {timeout_ms: 100, unhealthy_threshold: 1}\n");
    daemon.wait_until_unhealthy("s");
    EXPECT_TRUE(support::eventually([&] {
        return daemon.backend("s")->at("reason").get<std::string>().find("in time") !=
               std::string::npos;
    }));
}

TEST(FailoverTls, AHandshakeThatHangsIsLeftAfterTheConnectTimeout) {
    support::ScriptedBackend::Options options;
    options.answers_probes = false;
    support::ScriptedBackend deaf([](support::Peer& peer) { peer.wait_closed(); }, options);
    const support::TestDaemon daemon(
        "backends:\n  - id: s\n    type: openai\n    endpoint: "
        "\"https://127.0.0.1:" +
        std::to_string(deaf.port()) + "\"\n    timeouts: {connect_ms: 150}\n" + support::kQuiet);
    const auto reply = support::http_post(daemon.port(), kChat, chat_body());
    EXPECT_EQ(reply.status, 504) << reply.body;
}

}  // namespace
}  // namespace ollama_proxy
