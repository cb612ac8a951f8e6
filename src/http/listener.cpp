#include "http/listener.hpp"

#include "http/reply.hpp"
#include "ollama_proxy/common/request_id.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr Milliseconds kRest{50};
constexpr int kBacklog = 4096;
constexpr int kRefusedAtOnce = 64;  ///< of those who wait when descriptors have run out

/// What a client gets for whom there is no session: said before its request is read.
std::string busy_answer() {
    const Reply reply =
        error_reply(codec::ErrorDialect::openai,
                    make_error(Errc::overloaded, "too many connections; try again later"));
    std::string out = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n";
    out += reply.fields;
    append_common(out, {make_request_id(), {}});
    out += "Connection: close\r\nContent-Length: " + std::to_string(reply.body.size());
    out += "\r\n\r\n" + reply.body;
    return out;
}

void tell_busy(int fd) {
    const std::string answer = busy_answer();
    ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(fd, SHUT_WR);
}

int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

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

Listener::~Listener() {
    if (reserve_ >= 0) ::close(reserve_);
}

Result<std::shared_ptr<Listener>> Listener::open(asio::io_context& control,
                                                 const tcp::endpoint& endpoint) {
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
                              "or choose another port with --http-port",
                          "server.http_port");
    }
    if (error) {
        return make_error(Errc::io,
                          "cannot listen on " + text_of(endpoint) + ": " + error.message() +
                              "; check server.host and server.http_port",
                          "server.host");
    }
    listener->endpoint_ = acceptor.local_endpoint(error);
    return listener;
}

void Listener::start(Shared& shared, runtime::WorkerPool& workers, OnAccept on_accept) {
    shared_ = &shared;
    workers_ = &workers;
    on_accept_ = std::move(on_accept);
    accept();
}

void Listener::stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
}

void Listener::accept() {
    if (stopped_) return;
    const std::size_t index = next_worker_++ % workers_->size();
    acceptor_.async_accept(
        workers_->worker(index).context(),
        [self = shared_from_this(), index](boost::system::error_code error, tcp::socket socket) {
            if (self->stopped_) return;
            if (error == asio::error::no_descriptors || error.value() == ENFILE ||
                error.value() == ENOBUFS || error.value() == ENOMEM) {
                self->refuse_waiting();
                return self->rest();
            }
            if (!error) {
                auto& count = self->shared_->connections;
                const std::size_t limit = self->shared_->config->server.limits.connections;
                if (count.fetch_add(1, std::memory_order_relaxed) < limit) {
                    self->on_accept_(std::move(socket), index);
                } else {
                    count.fetch_sub(1, std::memory_order_relaxed);
                    tell_busy(socket.native_handle());
                }
            }
            self->accept();
        });
}

/// With the reserved descriptor those at the head of the line get an answer, one after the other.
void Listener::refuse_waiting() {
    // another thread may have taken the descriptor at the last time
    if (reserve_ < 0) reserve_ = open_reserve();
    if (reserve_ < 0) return;
    ::close(reserve_);
    int refused = 0;
    while (refused < kRefusedAtOnce) {
        const int client = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) break;
        tell_busy(client);
        ::close(client);
        ++refused;
    }
    reserve_ = open_reserve();
    telemetry::log_warn("out of file descriptors: connections were refused",
                        {{"count", std::to_string(refused)}});
}

void Listener::rest() {
    timer_.expires_after(kRest);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error) self->accept();
    });
}

}  // namespace ollama_proxy::http
