#pragma once

#include "support/environment.hpp"
#include "support/places.hpp"
#include "support/wait.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ollama_proxy::front_end {

/// What a service manager gives a process: variables, and a socket that listens already.
struct FromManager {
    std::vector<std::string> environment;
    int socket = -1;
};

/// The daemon as its own process, run as a user runs it, on a free port.
class DaemonProcess {
  public:
    /// Without a `port` it must start: throws when no first line comes. `descriptors` is a hard
    /// limit of open files.
    explicit DaemonProcess(const std::string& yaml,
                           std::optional<std::uint16_t> taken_port = std::nullopt,
                           rlim_t descriptors = 0, const FromManager& manager = {}) {
        configure(yaml);
        const std::string config = config_file().string();
        const std::string port = std::to_string(taken_port.value_or(0));
        if (::pipe2(out_.data(), O_CLOEXEC) != 0 || ::pipe2(err_.data(), O_CLOEXEC) != 0) {
            throw std::runtime_error("no pipe");
        }
        const std::string state = "XDG_STATE_HOME=" + folder_.path().string();
        std::array<const char*, 8> arguments{
            support::daemon_path(), "serve",      "--config", config.c_str(),
            "--http-port",          port.c_str(), nullptr};
        std::vector<const char*> environment{state.c_str()};
        for (const std::string& one : manager.environment) environment.push_back(one.c_str());
        std::array<char, 32> listen_pid{};
        if (manager.socket >= 0) {
            environment.push_back("LISTEN_FDS=1");
            environment.push_back(listen_pid.data());
        }
        environment.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(out_[1], STDOUT_FILENO);
            ::dup2(err_[1], STDERR_FILENO);
            if (manager.socket >= 0) {
                ::dup2(manager.socket, kFirstHandedOver);
                ::fcntl(kFirstHandedOver, F_SETFD, 0);  // it may have been there already
                std::snprintf(listen_pid.data(), listen_pid.size(), "LISTEN_PID=%d", ::getpid());
            }
            if (descriptors > 0) {
                const rlimit limit{descriptors, descriptors};
                ::setrlimit(RLIMIT_NOFILE, &limit);
            }
            ::execve(support::daemon_path(), const_cast<char* const*>(arguments.data()),
                     const_cast<char* const*>(environment.data()));
            ::_exit(99);
        }
        ::close(out_[1]);
        ::close(err_[1]);
        if (!taken_port) port_ = read_port();
    }
    ~DaemonProcess() {
        if (pid_ > 0 && !ended_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(out_[0]);
        ::close(err_[0]);
    }
    DaemonProcess(const DaemonProcess&) = delete;
    DaemonProcess& operator=(const DaemonProcess&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// 0 unless the configuration says `grpc_port: 0`.
    [[nodiscard]] std::uint16_t grpc_port() const { return port_after("gRPC on 127.0.0.1:"); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Writes its configuration file (anew).
    void configure(const std::string& yaml) const { folder_.write("config.yaml", yaml); }
    [[nodiscard]] std::filesystem::path config_file() const {
        return folder_.path() / "config.yaml";
    }
    void signal(int number) const { ::kill(pid_, number); }

    /// How it ended: the exit status, or 128 + the signal. Throws TimedOut.
    int wait_exit() {
        int status = 0;
        const bool done = support::eventually([&] {
            ended_ = ended_ || ::waitpid(pid_, &status, WNOHANG) == pid_;
            return ended_;
        });
        if (!done) throw support::TimedOut("the daemon does not end");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    /// All that it wrote to standard error, once it has ended.
    std::string errors() { return read_until_eof(err_[0]); }

  private:
    static constexpr int kFirstHandedOver = 3;  ///< SD_LISTEN_FDS_START

    static std::string read_until_eof(int fd) {
        std::string all;
        std::array<char, 4096> some{};
        for (;;) {
            const ssize_t n = ::read(fd, some.data(), some.size());
            if (n <= 0) return all;
            all.append(some.data(), static_cast<std::size_t>(n));
        }
    }

    /// From the first line: "... http://127.0.0.1:PORT ...".
    std::uint16_t read_port() {
        std::string& line = first_line_;
        const support::TimePoint end = support::Clock::now() + support::kPatience;
        while (line.find('\n') == std::string::npos) {
            pollfd ready{out_[0], POLLIN, 0};
            if (::poll(&ready, 1, support::left_until(end)) <= 0) {
                throw support::TimedOut("no first line");
            }
            std::array<char, 512> some{};
            const ssize_t n = ::read(out_[0], some.data(), some.size());
            if (n <= 0) throw std::runtime_error("the daemon did not start: " + errors());
            line.append(some.data(), static_cast<std::size_t>(n));
        }
        std::uint16_t port = port_after("http://127.0.0.1:");
        if (port == 0) port = port_after("http://0.0.0.0:");
        if (port == 0) throw std::runtime_error("no port in: " + line);
        return port;
    }
    [[nodiscard]] std::uint16_t port_after(std::string_view before) const {
        const std::size_t at = first_line_.find(before);
        if (at == std::string::npos) return 0;
        return static_cast<std::uint16_t>(std::atoi(first_line_.c_str() + at + before.size()));
    }

    support::TempDir folder_;
    std::array<int, 2> out_{-1, -1};
    std::array<int, 2> err_{-1, -1};
    pid_t pid_ = -1;
    bool ended_ = false;
    std::uint16_t port_ = 0;
    std::string first_line_;
};

}  // namespace ollama_proxy::front_end
