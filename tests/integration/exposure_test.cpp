// What is open to the network asks for keys: at the start on a socket of a service manager, and
// after a reload.
#include "daemon_process.hpp"
#include "front_end.hpp"
#include "support/socket.hpp"

#include <gmock/gmock.h>

#include <netinet/in.h>
#include <sys/socket.h>

namespace ollama_proxy::front_end {
namespace {

using testing::HasSubstr;

std::string configuration(std::string_view server) {
    return support::config_yaml(
        {}, "server: { grpc_port: null, workers: 1, shutdown_grace_ms: 300" + std::string(server) +
                " }\n"
                "logging: { access_log: false }\n"
                "monitors: { enabled: false }\n"
                "dbus: { enabled: false }\n"
                "notifications: { enabled: false }\n");
}

constexpr std::string_view kAuth =
    ", auth: { enabled: true, api_keys: [{ name: a, key_env: A_KEY }] }";

/// A socket as a unit with ListenStream=0.0.0.0:PORT has it.
support::Socket open_to_all() {
    support::Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0 ||
        ::listen(socket.fd(), 16) != 0) {
        throw std::runtime_error("cannot listen");
    }
    return socket;
}

TEST(OpenToTheNetwork, ASocketThatIsHandedOverNeedsKeysLikeAnAddressOfTheFile) {
    const support::Socket held = open_to_all();
    DaemonProcess refused(configuration(""), 0, 0, {{}, held.fd()});
    EXPECT_EQ(refused.wait_exit(), 1);
    EXPECT_THAT(refused.errors(), HasSubstr("server.auth: the daemon listens on 0.0.0.0"));

    DaemonProcess warned(configuration(", allow_unauthenticated: true"), std::nullopt, 0,
                         {{}, held.fd()});
    EXPECT_EQ(support::http_get(warned.port(), "/healthz").status, 200);
    warned.signal(SIGTERM);
    EXPECT_EQ(warned.wait_exit(), 0);
    EXPECT_THAT(warned.errors(), HasSubstr("everybody who reaches 0.0.0.0"));
}

TEST(OpenToTheNetwork, AReloadDoesNotTakeTheKeysAway) {
    const support::Socket held = open_to_all();
    const DaemonProcess daemon(configuration(kAuth), std::nullopt, 0, {{"A_KEY=sk-a"}, held.fd()});
    EXPECT_EQ(support::http_get(daemon.port(), "/backends").status, 401);
    // good by itself, but the socket stays the one that it was
    daemon.configure(configuration(", host: 127.0.0.1"));
    EXPECT_TRUE(support::eventually([&] {
        const auto metrics =
            support::http_get(daemon.port(), "/metrics", {{"Authorization", "Bearer sk-a"}});
        return metrics.body.find("ollama_proxy_config_reloads_total{result=\"rejected\"} 1") !=
               std::string::npos;
    }));
    EXPECT_EQ(support::http_get(daemon.port(), "/backends").status, 401);
}

}  // namespace
}  // namespace ollama_proxy::front_end
