// Opens many chat streams at once and reads them to their end, on one thread with epoll.
//   bench_streams PORT STREAMS TOKENS [--hold]
// Prints one line: streams that ended whole, bytes, seconds. With --hold it prints "held" once
// every stream has had its first event, and leaves them open until its standard input closes.

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

struct Stream {
    int fd = -1;
    std::string tail;  ///< the last bytes, to recognise the end across reads
    bool begun = false;
};

int connect_to(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        std::perror("connect");
        std::exit(1);
    }
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

std::string request(int tokens) {
    const std::string body = R"({"model":"bench:latest","stream":true,"max_tokens":)" +
                             std::to_string(tokens) +
                             R"(,"messages":[{"role":"user","content":"go"}]})";
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
           "Content-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fputs("usage: bench_streams PORT STREAMS TOKENS [--hold]\n", stderr);
        return 2;
    }
    const int port = std::atoi(argv[1]);
    const auto count = static_cast<std::size_t>(std::atoi(argv[2]));
    const std::string text = request(std::atoi(argv[3]));
    const bool hold = argc > 4 && std::string_view(argv[4]) == "--hold";
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    const auto start = std::chrono::steady_clock::now();
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Stream> streams(count);
    for (std::size_t i = 0; i < count; ++i) {
        streams[i].fd = connect_to(port);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(poller, EPOLL_CTL_ADD, streams[i].fd, &event);
        if (::send(streams[i].fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) return 1;
    }
    std::size_t open = count;
    std::size_t begun = 0;
    std::size_t whole = 0;
    std::size_t bytes = 0;
    char buffer[65536];
    std::vector<epoll_event> events(1024);
    while (open > 0) {
        const int n = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), 30000);
        if (n <= 0) break;
        for (int e = 0; e < n; ++e) {
            Stream& stream = streams[events[static_cast<std::size_t>(e)].data.u64];
            const ssize_t got = ::recv(stream.fd, buffer, sizeof buffer, 0);
            if (got > 0) {
                bytes += static_cast<std::size_t>(got);
                stream.tail.append(buffer, static_cast<std::size_t>(got));
                if (!stream.begun && stream.tail.find("data:") != std::string::npos) {
                    stream.begun = true;
                    ++begun;
                }
                if (stream.tail.size() > 256) stream.tail.erase(0, stream.tail.size() - 256);
            }
            const bool done = stream.tail.find("[DONE]") != std::string::npos;
            if (got <= 0 || done) {
                if (done) ++whole;
                ::close(stream.fd);
                --open;
            }
        }
        if (hold && begun == count) {
            std::puts("held");
            std::fflush(stdout);
            while (::read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
            }
            return 0;
        }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%zu %zu %.3f\n", whole, bytes, seconds.count());
    return whole == count ? 0 : 1;
}
