#pragma once

#include "integration/relay_support.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

/// What the tests of backends behind TLS share.
namespace ollama_proxy {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

inline void add_extension(X509* certificate, int kind, const char* value) {
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

/// A request on a connection of a TlsBackend, and the ways to treat it. Thread: the connection's.
struct TlsCall {
    SSL* tls;
    int connection;  ///< 1 = first handshake
    int number;      ///< 1 = first request that is no probe

    void send(std::string_view bytes) const {
        SSL_write(tls, bytes.data(), static_cast<int>(bytes.size()));
    }
    void reply(int status, std::string_view body) const {
        std::string out = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n";
        out += "Content-Type: application/json\r\nContent-Length: ";
        out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
        send(out);
    }
    /// While held, what is sent waits in the kernel, so that it arrives at one time.
    void hold(bool held) const {
        const int on = held ? 1 : 0;
        ::setsockopt(SSL_get_fd(tls), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    }
    /// Waits until the other side's kernel has all that was sent.
    [[nodiscard]] bool arrived() const {
        return support::eventually([fd = SSL_get_fd(tls)] {
            int waiting = 1;
            return ::ioctl(fd, TIOCOUTQ, &waiting) == 0 && waiting == 0;
        });
    }
};

/// Answers probes and chats over TLS, one thread for each connection.
class TlsBackend {
  public:
    using Responder = std::function<void(const TlsCall&)>;
    struct Options {
        Responder responder{};     ///< instead of the usual answer to what is no probe
        bool reads_bodies = true;  ///< false: is called for the head, and nothing more is read
        int receive_buffer = 0;    ///< of the kernel; 0 = as it is
    };

    explicit TlsBackend(const Identity& identity) : TlsBackend(identity, Options{}) {}
    TlsBackend(const Identity& identity, Options options)
        : options_(std::move(options)),
          context_(SSL_CTX_new(TLS_server_method())),
          listener_(support::Socket::listen(64)) {
        std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
        SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
        if (const int size = options_.receive_buffer; size > 0) {
            ::setsockopt(listener_.fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        }
        thread_ = std::thread([this] { accept_all(); });
    }
    ~TlsBackend() {
        stopping_ = true;
        listener_.shut_down();
        thread_.join();
        for (auto& thread : connections_) thread.join();
    }
    TlsBackend(const TlsBackend&) = delete;
    TlsBackend& operator=(const TlsBackend&) = delete;

    [[nodiscard]] std::uint16_t port() const { return listener_.local_port(); }
    /// Requests that were no probes.
    [[nodiscard]] int chats() const { return static_cast<int>(chat_connections().size()); }
    /// On which connection each of them came.
    [[nodiscard]] std::vector<int> chat_connections() const {
        const std::lock_guard lock(mutex_);
        return chats_;
    }
    /// The longest of their bodies.
    [[nodiscard]] std::size_t longest() const { return longest_; }
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
        const int connection = ++handshakes_;
        std::string in;
        while (!stopping_) {
            char bytes[16 * 1024];
            const int n = SSL_read(tls.get(), bytes, sizeof bytes);
            if (n <= 0) {
                if (SSL_get_error(tls.get(), n) == SSL_ERROR_WANT_READ) continue;
                return;
            }
            in.append(bytes, static_cast<std::size_t>(n));
            while (answer(tls.get(), connection, in)) {
            }
        }
    }
    /// Takes one whole request off `in` and answers it.
    bool answer(SSL* tls, int connection, std::string& in) {
        if (in.find("\r\n\r\n") == std::string::npos) return false;
        const bool is_probe = in.starts_with("GET ");
        if (!is_probe && !options_.reads_bodies) {
            options_.responder(record(tls, connection));
            (void)support::eventually([this] { return stopping_.load(); }, 10 * support::kPatience);
            return false;
        }
        std::string rest = in;
        const auto head = support::take_head(rest);
        const std::size_t length = head->length().value_or(0);
        if (rest.size() < length) return false;
        in = rest.substr(length);
        if (is_probe) {
            TlsCall{tls, connection, 0}.reply(200, kModels);
            return true;
        }
        longest_ = std::max(longest_.load(), length);
        const TlsCall call = record(tls, connection);
        if (silent) return true;
        if (options_.responder) {
            options_.responder(call);
        } else {
            call.reply(200, support::kAnswer);
        }
        return true;
    }
    TlsCall record(SSL* tls, int connection) {
        const std::lock_guard lock(mutex_);
        chats_.push_back(connection);
        return {tls, connection, static_cast<int>(chats_.size())};
    }

    static constexpr std::string_view kModels = R"({"object":"list","data":[{"id":"test-model"}]})";

    Options options_;
    std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
    support::Socket listener_;
    std::atomic<bool> stopping_{false};
    std::atomic<int> handshakes_{0};
    std::atomic<std::size_t> longest_{0};
    mutable std::mutex mutex_;
    std::vector<int> chats_;
    std::vector<std::thread> connections_;
    std::thread thread_;
};

/// One backend `s`; `more` are further lines of its entry.
inline std::string tls_config(std::uint16_t port, const std::string& ca_file,
                              const std::string& more = {}) {
    return "backends:\n  - id: s\n    type: openai\n    endpoint: \"https://127.0.0.1:" +
           std::to_string(port) + "\"\n    ca_file: \"" + ca_file + "\"\n" + more +
           "health: {unhealthy_threshold: 1}\n";
}

}  // namespace ollama_proxy
