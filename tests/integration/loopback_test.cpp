// Where the daemon listens when the configuration does not say: on both loopbacks, nowhere else.

#include "daemon_process.hpp"
#include "front_end.hpp"
#include "support/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ollama_proxy::front_end {
namespace {

constexpr const char* kLoopback6 = "::1";

/// An address of the loopback device that is not the one the daemon takes: a listener on all
/// addresses would answer there.
constexpr const char* kOtherLoopback = "127.0.0.2";

/// `call` is ::bind or ::connect; both return at once on the loopback device.
template <class Call>
support::Socket socket_after(Call call, const char* host, std::uint16_t port) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    const bool is_six = ::inet_pton(AF_INET6, host, &six.sin6_addr) == 1;
    if (!is_six) {
        EXPECT_EQ(::inet_pton(AF_INET, host, &four.sin_addr), 1);
    }
    support::Socket socket(::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* address =
        is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    const socklen_t size = is_six ? sizeof six : sizeof four;
    if (!socket.is_open() || call(socket.fd(), address, size) != 0) return {};
    ::fcntl(socket.fd(), F_SETFL, O_NONBLOCK);
    return socket;
}

/// Not open when nobody listens there.
support::Socket connect_to(const char* host, std::uint16_t port) {
    return socket_after(::connect, host, port);
}
bool machine_has(const char* host) { return socket_after(::bind, host, 0).is_open(); }

std::string answer_of(support::Socket& socket, const std::string& host) {
    EXPECT_TRUE(
        socket.send("GET /healthz HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"));
    std::string all;
    const auto deadline = support::Clock::now() + support::kPatience;
    for (std::string some = socket.receive(deadline); !some.empty();
         some = socket.receive(deadline)) {
        all += some;
    }
    return all;
}

/// Says nothing of `server.host`.
std::string configuration() {
    return support::config_yaml({},
                                "server: { grpc_port: 0, workers: 1 }\n"
                                "logging: { access_log: false }\n"
                                "monitors: { enabled: false }\n"
                                "dbus: { enabled: false }\n"
                                "notifications: { enabled: false }\n");
}

TEST(Loopback, AClientOfIpv6IsAnsweredWithoutAConfiguration) {
    if (!machine_has(kLoopback6)) GTEST_SKIP() << "this machine has no ::1";
    const DaemonProcess daemon(configuration());
    support::Socket client = connect_to(kLoopback6, daemon.port());
    ASSERT_TRUE(client.is_open()) << "nobody listens on ::1";
    const std::string host = "[::1]:" + std::to_string(daemon.port());
    EXPECT_TRUE(answer_of(client, host).starts_with("HTTP/1.1 200 "));
    if (daemon.grpc_port() == 0) return;  // a build without it
    EXPECT_TRUE(connect_to("127.0.0.1", daemon.grpc_port()).is_open());
    EXPECT_TRUE(connect_to(kLoopback6, daemon.grpc_port()).is_open());
}

TEST(Loopback, NoOtherAddressIsOpenWithoutAConfiguration) {
    const DaemonProcess daemon(configuration());
    EXPECT_TRUE(connect_to("127.0.0.1", daemon.port()).is_open());
    EXPECT_FALSE(connect_to(kOtherLoopback, daemon.port()).is_open());
    if (daemon.grpc_port() == 0) return;
    EXPECT_FALSE(connect_to(kOtherLoopback, daemon.grpc_port()).is_open());
}

}  // namespace
}  // namespace ollama_proxy::front_end
