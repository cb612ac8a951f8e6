#include "ollama_proxy/grpc/server.hpp"

#include "grpc/connections.hpp"
#include "grpc/library_server.hpp"
#include "ollama_proxy/runtime/listener.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/post.hpp>

#include <array>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ollama_proxy::grpc_api {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;

namespace {

constexpr Milliseconds kSweep{1000};    ///< how late a closed connection is noticed
constexpr Milliseconds kAfterCut{200};  ///< for what was cancelled to unwind
constexpr std::size_t kToWakeUp = 16;   ///< descriptors that the library wants when it starts
constexpr runtime::PortName kPortName{"server.grpc_port", "--grpc-port"};

/// The library ends the process when it gets no descriptor at its start: ask before.
bool descriptors_are_left() {
    std::array<int, kToWakeUp> taken{};
    std::size_t count = 0;
    while (count < taken.size() &&
           (taken[count] = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        ++count;
    }
    for (std::size_t i = 0; i < count; ++i) ::close(taken[i]);
    return count == taken.size();
}

void end_endless(WorkerCalls& calls) {
    calls.endless.close();
    calls.endless.cancel(asio::cancellation_type::total);
}

/// Lets the calls of a worker end until `end`, then ends them.
awaitable<void> drain(WorkerCalls& calls, TimePoint end) {
    co_await calls.group.until_empty(end);
    calls.group.close();
    if (calls.group.size() == 0) co_return;
    calls.group.cancel(asio::cancellation_type::total);
    co_await calls.group.until_empty(Clock::now() + kAfterCut);
    calls.group.cancel(asio::cancellation_type::terminal);
    co_await calls.group.until_empty(Clock::now() + kAfterCut);
}

}  // namespace

struct Server::Impl {
    Impl(asio::io_context& c, runtime::WorkerPool& workers, router::Router& router,
         efficiency::Controller& controller, std::shared_ptr<access::ClientLimits> limits,
         std::shared_ptr<const config::Config> config, Milliseconds l)
        : control(c),
          shared(new Shared{router, controller, std::move(limits),
                            SnapshotCell<config::Config>(std::move(config))}),
          linger(l),
          timer(c) {
        for (std::size_t i = 0; i < workers.size(); ++i) {
            calls.push_back(std::make_unique<WorkerCalls>(workers.worker(i)));
        }
    }

    bool on_accept(Descriptor& socket) {
        const std::size_t limit = shared->config.load()->server.limits.connections;
        auto& count = shared->limits->connections;
        if (count.load(std::memory_order_relaxed) >= limit) sweep();
        if (!wake_up()) return false;
        if (count.fetch_add(1, std::memory_order_relaxed) >= limit) {
            count.fetch_sub(1, std::memory_order_relaxed);
            return false;
        }
        const int descriptor = socket.release();
        // the library does not set it on a socket that it did not accept itself
        const int on = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections.add(descriptor);
        library->take(descriptor);
        return true;
    }

    [[nodiscard]] bool wake_up() {
        if (library) return true;
        if (!descriptors_are_left()) return false;
        library = LibraryServer::start(shared, calls);
        if (!library) return false;
        awake.store(true, std::memory_order_relaxed);
        last_connection = Clock::now();
        watch();
        return true;
    }

    void sweep() {
        shared->limits->connections.fetch_sub(connections.sweep(), std::memory_order_relaxed);
    }

    /// While the library is awake: counts its connections, and lets it sleep when it has none.
    void watch() {
        timer.expires_after(std::min(kSweep, linger));
        timer.async_wait([this](boost::system::error_code error) {
            if (error || !library) return;
            sweep();
            const TimePoint now = Clock::now();
            if (connections.size() > 0) last_connection = now;
            if (now - last_connection >= linger) return sleep();
            watch();
        });
    }

    void sleep() {
        timer.cancel();
        library.reset();
        sweep();
        awake.store(false, std::memory_order_relaxed);
    }

    asio::io_context& control;
    std::shared_ptr<Shared> shared;
    const Milliseconds linger;
    asio::steady_timer timer;
    std::vector<std::unique_ptr<WorkerCalls>> calls;
    std::vector<std::shared_ptr<runtime::Listener>> listeners;
    Connections connections;
    TimePoint last_connection{};
    std::unique_ptr<LibraryServer> library;
    std::atomic<bool> awake{false};
};

Server::Server(asio::io_context& control, runtime::WorkerPool& workers, router::Router& router,
               efficiency::Controller& controller, std::shared_ptr<access::ClientLimits> limits,
               std::shared_ptr<const config::Config> config, Milliseconds linger)
    : impl_(std::make_unique<Impl>(control, workers, router, controller, std::move(limits),
                                   std::move(config), linger)) {}

Server::~Server() = default;

std::optional<Error> Server::listen(const std::vector<int>& handed_over) {
    const auto config = impl_->shared->config.load();
    const config::Server& server = config->server;
    if (!server.grpc_port) return std::nullopt;
    auto listeners = handed_over.empty() ? runtime::listen_on(impl_->control, server.host,
                                                              *server.grpc_port, kPortName)
                                         : runtime::adopt_all(impl_->control, handed_over);
    if (!listeners) return listeners.error();
    impl_->listeners = std::move(*listeners);
    return std::nullopt;
}

void Server::reload(std::shared_ptr<const config::Config> config) {
    impl_->shared->config.store(std::move(config));
}

std::vector<tcp::endpoint> Server::endpoints() const {
    std::vector<tcp::endpoint> out;
    for (const auto& listener : impl_->listeners) out.push_back(listener->endpoint());
    return out;
}

void Server::start() {
    for (auto& listener : impl_->listeners) {
        listener->start({
            .on_accept = [impl =
                              impl_.get()](Descriptor& socket) { return impl->on_accept(socket); },
            // a connection that is just closed is UNAVAILABLE to a gRPC client
            .busy_answer = [] { return std::string(); },
            .on_refused =
                [](int count) {
                    telemetry::log_warn("out of file descriptors: gRPC connections were refused",
                                        {{"count", std::to_string(count)}});
                },
        });
    }
}

bool Server::is_awake() const { return impl_->awake.load(std::memory_order_relaxed); }

void Server::stop_accepting() {
    impl_->shared->draining.store(true);
    for (auto& listener : impl_->listeners) listener->stop();
}

awaitable<void> Server::stop(Milliseconds grace) {
    stop_accepting();
    const TimePoint end = Clock::now() + grace;
    for (auto& calls : impl_->calls) {
        asio::post(calls->worker.context(), [raw = calls.get()] { end_endless(*raw); });
    }
    for (auto& calls : impl_->calls) {
        auto drained = drain(*calls, end);
        co_await asio::co_spawn(calls->worker.executor(), std::move(drained), asio::use_awaitable);
    }
    impl_->sleep();
}

}  // namespace ollama_proxy::grpc_api
