#include "ollama_proxy/runtime/listener.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>

namespace ollama_proxy::runtime {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr Milliseconds kRest{50};
constexpr int kBacklog = 4096;
constexpr int kAcceptedAtOnce = 16;
constexpr int kRefusedAtOnce = 64;  ///< of those who wait when descriptors have run out

Descriptor open_reserve() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool out_of_descriptors(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::string text_of(const tcp::endpoint& endpoint) {
    const auto address = endpoint.address();
    const std::string host =
        address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return host + ":" + std::to_string(endpoint.port());
}

}  // namespace

std::vector<tcp::endpoint> listen_endpoints(const std::string& host, std::uint16_t port) {
    if (host == "localhost") {
        return {{asio::ip::address_v4::loopback(), port}, {asio::ip::address_v6::loopback(), port}};
    }
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) return {};
    // clients take `localhost` for either
    if (address == asio::ip::address_v4::loopback()) {
        return {{address, port}, {asio::ip::address_v6::loopback(), port}};
    }
    return {{address, port}};
}

Listener::Listener(asio::io_context& control)
    : acceptor_(control), timer_(control), reserve_(open_reserve()) {}

Result<std::shared_ptr<Listener>> Listener::open(asio::io_context& control,
                                                 const tcp::endpoint& endpoint,
                                                 const PortName& name) {
    std::shared_ptr<Listener> listener(new Listener(control));
    tcp::acceptor& acceptor = listener->acceptor_;
    boost::system::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) {
        acceptor.set_option(asio::ip::v6_only(true), error);
    }
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error == asio::error::address_in_use) {
        return make_error(Errc::io,
                          "port " + std::to_string(endpoint.port()) +
                              " is in use: another ollama-proxy may be running; stop it, "
                              "or choose another port with " +
                              std::string(name.option),
                          std::string(name.key));
    }
    if (error) {
        return make_error(Errc::io,
                          "cannot listen on " + text_of(endpoint) + ": " + error.message() +
                              "; check server.host and " + std::string(name.key),
                          "server.host");
    }
    listener->endpoint_ = acceptor.local_endpoint(error);
    return listener;
}

Result<std::shared_ptr<Listener>> Listener::adopt(asio::io_context& control, int fd) {
    std::shared_ptr<Listener> listener(new Listener(control));
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    boost::system::error_code error;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        error.assign(errno, boost::system::system_category());
    } else {
        listener->acceptor_.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd,
                                   error);
    }
    if (!error) listener->endpoint_ = listener->acceptor_.local_endpoint(error);
    if (error) {
        return make_error(Errc::io,
                          "the socket that was handed over cannot be used: " + error.message());
    }
    return listener;
}

void Listener::start(Handlers handlers) {
    handlers_ = std::move(handlers);
    boost::system::error_code ignored;
    acceptor_.native_non_blocking(true, ignored);
    wait();
}

void Listener::stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
}

void Listener::wait() {
    if (stopped_) return;
    acceptor_.async_wait(tcp::acceptor::wait_read,
                         [self = shared_from_this()](boost::system::error_code) {
                             if (!self->stopped_) self->accept_waiting();
                         });
}

void Listener::accept_waiting() {
    for (int i = 0; i < kAcceptedAtOnce; ++i) {
        Descriptor socket(
            ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket.is_open()) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            if (!out_of_descriptors(errno)) continue;  // that one has left already, or a signal
            refuse_waiting();
            return rest();
        }
        if (!handlers_.on_accept(socket)) turn_away(socket.get());
    }
    wait();
}

/// With the reserved descriptor those at the head of the line get an answer, one after the other.
void Listener::refuse_waiting() {
    // another thread may have taken the descriptor at the last time
    if (!reserve_.is_open()) reserve_ = open_reserve();
    if (!reserve_.is_open()) return;
    reserve_.reset();
    int refused = 0;
    while (refused < kRefusedAtOnce) {
        const Descriptor client(
            ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client.is_open()) break;
        turn_away(client.get());
        ++refused;
    }
    reserve_ = open_reserve();
    if (refused > 0) handlers_.on_refused(refused);
}

/// Said before the request is read, and only as far as the kernel takes it at once.
void Listener::turn_away(int fd) const {
    const std::string answer = handlers_.busy_answer();
    if (!answer.empty()) ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(fd, SHUT_WR);
}

void Listener::rest() {
    timer_.expires_after(kRest);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error) self->wait();
    });
}

Result<std::vector<std::shared_ptr<Listener>>> listen_on(asio::io_context& control,
                                                         const std::vector<std::string>& hosts,
                                                         std::uint16_t port, const PortName& name) {
    const bool any_port = port == 0;
    std::vector<std::shared_ptr<Listener>> listeners;
    for (const std::string& host : hosts) {
        const std::vector<tcp::endpoint> wanted = listen_endpoints(host, port);
        if (wanted.empty()) {
            return make_error(Errc::io, "cannot listen on " + host + ": it is no address",
                              "server.host");
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const bool listens = std::ranges::any_of(listeners, [&](const auto& one) {
                return one->endpoint().address() == wanted[i].address();
            });
            if (listens) continue;  // "127.0.0.1" has brought "::1" along
            auto listener = Listener::open(control, {wanted[i].address(), port}, name);
            if (!listener) {
                // there may be no IPv6, and a port that was chosen for IPv4 may be taken there
                const bool comes_along = i > 0;
                const bool taken = listener.error().param == name.key;
                if (!comes_along || (taken && !any_port)) return listener.error();
                continue;
            }
            if (port == 0) port = (*listener)->endpoint().port();
            listeners.push_back(std::move(*listener));
        }
    }
    return listeners;
}

Result<std::vector<std::shared_ptr<Listener>>> adopt_all(asio::io_context& control,
                                                         const std::vector<int>& sockets) {
    std::vector<std::shared_ptr<Listener>> listeners;
    for (const int fd : sockets) {
        auto listener = Listener::adopt(control, fd);
        if (!listener) return listener.error();
        listeners.push_back(std::move(*listener));
    }
    return listeners;
}

}  // namespace ollama_proxy::runtime
