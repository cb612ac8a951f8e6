#include "ollama_proxy/demo/demo_server.hpp"

#include "demo/connection.hpp"
#include "demo/routes.hpp"
#include "demo/state.hpp"
#include "ollama_proxy/runtime/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <system_error>

namespace ollama_proxy::demo {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

tcp::acceptor listen_on(asio::io_context& context, std::uint16_t port) {
    try {
        const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
        tcp::acceptor acceptor(context, endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(endpoint);
        acceptor.listen(asio::socket_base::max_listen_connections);
        return acceptor;
    } catch (const boost::system::system_error& error) {
        throw std::system_error(error.code(), "cannot listen on 127.0.0.1:" + std::to_string(port));
    }
}

void report(const std::string& failure) {
    std::fprintf(stderr, "demo server: %s\n", failure.c_str());
}

}  // namespace

/// Coroutines hold it by shared_ptr: what the context still owns when it is destroyed stays valid.
struct DemoServer::Impl : std::enable_shared_from_this<Impl> {
    Impl(asio::io_context& context, DemoSettings settings)
        : state(std::move(settings)),
          acceptor(listen_on(context, state.settings.port)),
          port(acceptor.local_endpoint().port()),
          tasks(context.get_executor(), report) {}

    static asio::awaitable<void> accept(std::shared_ptr<Impl> self) {
        asio::steady_timer pause(self->acceptor.get_executor());
        while (self->acceptor.is_open()) {
            auto [error, socket] = co_await self->acceptor.async_accept(kTuple);
            if (!error) {
                self->tasks.spawn(serve(self, std::move(socket)));
            } else if (error != asio::error::operation_aborted) {
                // Out of descriptors: the backlog keeps the client until one is free.
                pause.expires_after(kAcceptPause);
                co_await pause.async_wait(kTuple);
            }
        }
    }

    static asio::awaitable<void> serve(std::shared_ptr<Impl> self, tcp::socket socket) {
        Connection connection(std::move(socket));
        Request request;
        while (co_await connection.read_head(request)) {
            if (!co_await dispatch(self->state, connection, request)) break;
            connection.settle();
        }
    }

    State state;
    tcp::acceptor acceptor;
    std::uint16_t port;
    runtime::TaskGroup tasks;
};

DemoServer::DemoServer(asio::io_context& context, DemoSettings settings)
    : impl_(std::make_shared<Impl>(context, std::move(settings))) {
    impl_->tasks.spawn(Impl::accept(impl_));
}

DemoServer::~DemoServer() = default;

std::uint16_t DemoServer::port() const { return impl_->port; }
const DemoSettings& DemoServer::settings() const { return impl_->state.settings; }
void DemoServer::set_fault(Fault fault) { impl_->state.fault = fault; }

void DemoServer::set_speed(double first_token_ms, double tokens_per_second) {
    impl_->state.first_token_ms = first_token_ms;
    impl_->state.tokens_per_second = tokens_per_second;
}

std::uint64_t DemoServer::requests() const { return impl_->state.requests; }
int DemoServer::active() const { return impl_->state.active; }
std::uint64_t DemoServer::cancelled() const { return impl_->state.cancelled; }

void DemoServer::stop() {
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
    impl_->tasks.close();
    impl_->tasks.cancel(asio::cancellation_type::terminal);
}

}  // namespace ollama_proxy::demo
