#include "ollama_proxy/http/server.hpp"

#include "http/listener.hpp"
#include "http/session.hpp"
#include "http/shared.hpp"
#include "ollama_proxy/runtime/task_group.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;

namespace {

/// The sessions of one worker. Thread: that worker's only.
struct WorkerSessions {
    explicit WorkerSessions(runtime::Worker& w)
        : worker(w), group(w.executor(), [](const std::string& text) {
              telemetry::log_error("a session failed", {{"error", text}});
          }) {}

    using List = boost::intrusive::list<Session, boost::intrusive::constant_time_size<false>>;
    runtime::Worker& worker;
    runtime::TaskGroup group;
    List sessions;

    void start(std::shared_ptr<Shared> shared, tcp::socket socket) {
        group.spawn(serve(std::move(shared), std::move(socket)));
    }
    awaitable<void> serve(std::shared_ptr<Shared> shared, tcp::socket socket) {
        Session session(std::move(shared), std::move(socket), worker);
        sessions.push_back(session);
        co_await session.run();
    }
    void close_idle() {
        group.close();
        for (Session& session : sessions) {
            if (session.is_idle()) session.close();
        }
    }
};

constexpr Milliseconds kAfterCut{200};  ///< for what was cancelled to unwind

}  // namespace

struct Server::Impl {
    Impl(asio::io_context& c, runtime::WorkerPool& w, router::Router& r,
         std::shared_ptr<const config::Config> config)
        : control(c), workers(w), shared(std::make_shared<Shared>(r, std::move(config))) {
        for (std::size_t i = 0; i < workers.size(); ++i) {
            sessions.push_back(std::make_unique<WorkerSessions>(workers.worker(i)));
        }
    }

    void on_accept(tcp::socket socket, std::size_t index) {
        auto* target = sessions[index].get();
        auto& context = target->worker.context();
        asio::post(context, [target, s = std::move(socket), shared_state = shared]() mutable {
            target->start(std::move(shared_state), std::move(s));
        });
    }

    asio::io_context& control;
    runtime::WorkerPool& workers;
    std::shared_ptr<Shared> shared;
    std::vector<std::unique_ptr<WorkerSessions>> sessions;
    std::vector<std::shared_ptr<Listener>> listeners;
};

Server::Server(asio::io_context& control, runtime::WorkerPool& workers, router::Router& router,
               std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(control, workers, router, std::move(config))) {}

Server::~Server() = default;

std::optional<Error> Server::listen() {
    const config::Server& server = impl_->shared->config->server;
    std::uint16_t port = server.http_port;
    for (const std::string& host : server.host) {
        const std::vector<tcp::endpoint> wanted = listen_endpoints(host, port);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            // "any free port" is one port for all addresses
            auto listener = Listener::open(impl_->control, {wanted[i].address(), port});
            // the other loopback comes along where it can: there may be no IPv6, and a port that
            // was chosen for IPv4 may be taken there
            const bool comes_along = i > 0;
            const bool matters = !comes_along || (server.http_port != 0 && !listener &&
                                                  listener.error().param == "server.http_port");
            if (!listener && !matters) continue;
            if (!listener) return listener.error();
            if (port == 0) port = (*listener)->endpoint().port();
            impl_->listeners.push_back(std::move(*listener));
        }
    }
    return std::nullopt;
}

std::vector<tcp::endpoint> Server::endpoints() const {
    std::vector<tcp::endpoint> out;
    for (const auto& listener : impl_->listeners) out.push_back(listener->endpoint());
    return out;
}

void Server::start() {
    Impl* impl = impl_.get();
    for (auto& listener : impl_->listeners) {
        listener->start(*impl->shared, impl->workers, [impl](tcp::socket socket, std::size_t i) {
            impl->on_accept(std::move(socket), i);
        });
    }
}

namespace {

/// Looks ten milliseconds apart whether all sessions have ended: once in the life of a daemon.
awaitable<void> until_empty(runtime::TaskGroup& group, TimePoint limit) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (group.size() > 0 && Clock::now() < limit) {
        timer.expires_after(Milliseconds(10));
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

awaitable<void> drain_worker(WorkerSessions& sessions, TimePoint end) {
    co_await until_empty(sessions.group, end);
    if (sessions.group.size() == 0) co_return;
    sessions.group.cancel(asio::cancellation_type::total);
    co_await until_empty(sessions.group, Clock::now() + kAfterCut);
    sessions.group.cancel(asio::cancellation_type::terminal);
    for (Session& session : sessions.sessions) session.close();
    co_await until_empty(sessions.group, Clock::now() + kAfterCut);
}

}  // namespace

awaitable<void> Server::stop(Milliseconds grace) {
    impl_->shared->draining.store(true);
    for (auto& listener : impl_->listeners) listener->stop();
    const TimePoint end = Clock::now() + grace;
    for (auto& sessions : impl_->sessions) {
        asio::post(sessions->worker.context(), [raw = sessions.get()] { raw->close_idle(); });
    }
    for (auto& sessions : impl_->sessions) {
        auto drained = drain_worker(*sessions, end);
        co_await asio::co_spawn(sessions->worker.executor(), std::move(drained),
                                asio::use_awaitable);
    }
}

}  // namespace ollama_proxy::http
