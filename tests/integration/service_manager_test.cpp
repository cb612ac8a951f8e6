// What a service manager sees and gives: readiness, watchdog, sockets that outlive the daemon.

#include "daemon_process.hpp"
#include "front_end.hpp"
#include "support/process.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <sys/socket.h>
#include <sys/un.h>

namespace ollama_proxy::front_end {
namespace {

using support::Milliseconds;
using testing::HasSubstr;
using testing::Not;

const std::string kConfig =
    support::config_yaml({},
                         "server: { grpc_port: null, workers: 2, shutdown_grace_ms: 300 }\n"
                         "logging: { access_log: false }\n"
                         "monitors: { enabled: false }\n"
                         "dbus: { enabled: false }\n");

/// Where a service manager listens for what its services say.
class NotifySocket {
  public:
    NotifySocket() : path_(folder_.path() / "notify"), fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.string().copy(address.sun_path, sizeof address.sun_path - 1);
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("cannot bind " + path_.string());
        }
    }
    ~NotifySocket() { ::close(fd_); }
    NotifySocket(const NotifySocket&) = delete;
    NotifySocket& operator=(const NotifySocket&) = delete;

    [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + path_.string(); }
    /// The next message; throws TimedOut.
    [[nodiscard]] std::string next() const {
        pollfd ready{fd_, POLLIN, 0};
        const auto end = support::Clock::now() + support::kPatience;
        if (::poll(&ready, 1, support::left_until(end)) <= 0) throw support::TimedOut("no message");
        std::array<char, 4096> text{};
        const ssize_t n = ::recv(fd_, text.data(), text.size(), 0);
        return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
    }

  private:
    support::TempDir folder_;
    std::filesystem::path path_;
    int fd_;
};

TEST(ServiceManager, HearsThatTheDaemonIsReadyAndStops) {
    const NotifySocket manager;
    DaemonProcess daemon(kConfig, std::nullopt, 0, {{manager.variable()}, -1});
    const std::string ready = manager.next();
    EXPECT_THAT(ready, HasSubstr("READY=1"));
    EXPECT_THAT(ready, HasSubstr("127.0.0.1:" + std::to_string(daemon.port())));
    daemon.signal(SIGTERM);
    EXPECT_THAT(manager.next(), HasSubstr("STOPPING=1"));
    EXPECT_EQ(daemon.wait_exit(), 0);
}

TEST(ServiceManager, HearsOfAReloadFromItsBeginningToItsEndWhateverComesOfIt) {
    const NotifySocket manager;
    const DaemonProcess daemon(kConfig, std::nullopt, 0, {{manager.variable()}, -1});
    EXPECT_THAT(manager.next(), HasSubstr("READY=1"));
    timespec before{};
    ::clock_gettime(CLOCK_MONOTONIC, &before);
    daemon.signal(SIGHUP);
    const std::string reloading = manager.next();
    EXPECT_THAT(reloading, HasSubstr("RELOADING=1\nMONOTONIC_USEC="));
    const std::size_t number = reloading.rfind('=') + 1;
    EXPECT_GE(std::stoll(reloading.substr(number)),
              before.tv_sec * 1'000'000 + before.tv_nsec / 1000)
        << "systemd takes an older one for the end of an earlier reload";
    EXPECT_THAT(manager.next(), HasSubstr("READY=1\nSTATUS=ollama-proxy "));

    daemon.configure("queue: { max_size: many }\n");  // seen without a signal
    EXPECT_THAT(manager.next(), HasSubstr("RELOADING=1"));
    EXPECT_THAT(manager.next(), testing::AllOf(HasSubstr("READY=1"),
                                               HasSubstr("config.yaml:1:20: queue.max_size")));
}

TEST(ServiceManager, ItsWatchdogIsFedAgainAndAgain) {
    const NotifySocket manager;
    const DaemonProcess daemon(kConfig, std::nullopt, 0,
                               {{manager.variable(), "WATCHDOG_USEC=100000"}, -1});
    int fed = 0;
    while (fed < 3) fed += manager.next().find("WATCHDOG=1") != std::string::npos ? 1 : 0;
    // stopped by a signal the process is silent, and speaks again when it goes on
    daemon.signal(SIGSTOP);
    daemon.signal(SIGCONT);
    EXPECT_THAT(manager.next(), HasSubstr("WATCHDOG=1"));
}

TEST(ServiceManager, WithoutAWatchdogNothingIsSaidAfterReady) {
    const NotifySocket manager;
    DaemonProcess daemon(kConfig, std::nullopt, 0, {{manager.variable()}, -1});
    EXPECT_THAT(manager.next(), Not(HasSubstr("WATCHDOG")));
    daemon.signal(SIGTERM);
    EXPECT_THAT(manager.next(), HasSubstr("STOPPING=1"));
    EXPECT_EQ(daemon.wait_exit(), 0);
}

TEST(ServiceManager, ARestartOnItsSocketRefusesNobody) {
    const support::Socket held = support::Socket::listen(64);
    const auto start = [&] {
        return std::make_unique<DaemonProcess>(kConfig, std::nullopt, 0,
                                               FromManager{{}, held.fd()});
    };
    auto daemon = start();
    EXPECT_EQ(daemon->port(), held.local_port());
    EXPECT_EQ(support::http_get(held.local_port(), "/healthz").status, 200);
    daemon->signal(SIGTERM);
    EXPECT_EQ(daemon->wait_exit(), 0);
    // nobody serves now: who connects waits in the socket that the manager holds
    RawClient early(held.local_port());
    early.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    daemon = start();
    EXPECT_EQ(early.read_reply("GET").status, 200);
}

TEST(ServiceManager, ASocketThatDoesNotListenIsRefusedInASentence) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    DaemonProcess daemon(kConfig, 1, 0, {{}, fd});
    EXPECT_EQ(daemon.wait_exit(), 1);
    EXPECT_THAT(daemon.errors(), HasSubstr("no listening TCP socket"));
    ::close(fd);
}

}  // namespace
}  // namespace ollama_proxy::front_end
