// Backends behind TLS: a certificate of the configured authority works, any other does not.

#include "integration/relay_support.hpp"
#include "support/environment.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <thread>

namespace ollama_proxy {
namespace {

using support::chat_body;
using support::kAnswer;
using support::kChat;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

void add_extension(X509* certificate, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/// A certificate that is its own authority, for the host `alternative` ("IP:127.0.0.1").
struct Identity {
    Key key{EVP_EC_gen("P-256")};
    Certificate certificate{X509_new()};

    explicit Identity(const char* alternative) {
        X509* x = certificate.get();
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -3600);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, key.get());
        const auto* name = reinterpret_cast<const unsigned char*>("a test's authority");
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, name, -1, -1, 0);
        X509_set_issuer_name(x, X509_get_subject_name(x));
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(x, NID_subject_alt_name, alternative);
        X509_sign(x, key.get(), EVP_sha256());
    }
    [[nodiscard]] std::string pem() const {
        std::unique_ptr<BIO, Freed<BIO_free_all>> out(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509(out.get(), certificate.get());
        char* text = nullptr;
        const long size = BIO_get_mem_data(out.get(), &text);
        return {text, static_cast<std::size_t>(size)};
    }
};

/// Answers probes and chats over TLS, one connection after the other.
class TlsBackend {
  public:
    explicit TlsBackend(const Identity& identity)
        : context_(SSL_CTX_new(TLS_server_method())), listener_(support::Socket::listen(0, 64)) {
        std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
        SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
        thread_ = std::thread([this] { accept_all(); });
    }
    ~TlsBackend() {
        stopping_ = true;
        listener_.shut_down();
        thread_.join();
        for (auto& thread : connections_) thread.join();
    }
    [[nodiscard]] std::uint16_t port() const { return listener_.local_port(); }
    [[nodiscard]] int chats() const { return chats_; }
    [[nodiscard]] int handshakes() const { return handshakes_; }
    std::atomic<bool> silent{false};  ///< takes requests and never answers

  private:
    void accept_all() {
        while (!stopping_) {
            auto socket = listener_.accept(support::Clock::now() + support::Milliseconds(50));
            if (!socket) continue;
            connections_.emplace_back([this, fd = socket->release()] {
                const support::Socket owner(fd);
                serve(fd);
            });
        }
    }
    void serve(int fd) {
        timeval patience{0, 50'000};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        std::unique_ptr<SSL, Freed<SSL_free>> tls(SSL_new(context_.get()));
        SSL_set_fd(tls.get(), fd);
        int accepted = -1;
        while (accepted <= 0 && !stopping_) {
            accepted = SSL_accept(tls.get());
            if (accepted <= 0 && SSL_get_error(tls.get(), accepted) != SSL_ERROR_WANT_READ) return;
        }
        ++handshakes_;
        std::string in;
        while (!stopping_) {
            char bytes[4096];
            const int n = SSL_read(tls.get(), bytes, sizeof bytes);
            if (n <= 0) {
                if (SSL_get_error(tls.get(), n) == SSL_ERROR_WANT_READ) continue;
                return;
            }
            in.append(bytes, static_cast<std::size_t>(n));
            while (answer(tls.get(), in)) {
            }
        }
    }
    /// Takes one whole request off `in` and answers it.
    bool answer(SSL* tls, std::string& in) {
        std::string rest = in;
        const auto head = support::take_head(rest);
        if (!head) return false;
        const std::size_t length = head->length().value_or(0);
        if (rest.size() < length) return false;
        in = rest.substr(length);
        std::string body = R"({"object":"list","data":[{"id":"test-model"}]})";
        if (head->word(0) == "POST") {
            ++chats_;
            if (silent) return true;
            body = kAnswer;
        }
        const std::string reply =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        SSL_write(tls, reply.data(), static_cast<int>(reply.size()));
        return true;
    }

    std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
    support::Socket listener_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> chats_{0};
    std::atomic<int> handshakes_{0};
    std::vector<std::thread> connections_;
    std::thread thread_;
};

std::string tls_config(std::uint16_t port, const std::string& ca_file,
                       const std::string& more = {}) {
    return "backends:\n  - id: s\n    type: openai\n    endpoint: \"https://127.0.0.1:" +
           std::to_string(port) + "\"\n    ca_file: \"" + ca_file + "\"\n" + more +
           "health: {unhealthy_threshold: 1}\n";
}

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
    EXPECT_EQ(backend.chats(), 4);
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
