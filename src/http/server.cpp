#include "ollama_proxy/http/server.hpp"

#include "http/busy_answer.hpp"
#include "http/session.hpp"
#include "http/shared.hpp"
#include "ollama_proxy/runtime/listener.hpp"
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
        group.spawn([&](asio::cancellation_signal& own) {
            return serve(std::move(shared), std::move(socket), own);
        });
    }
    awaitable<void> serve(std::shared_ptr<Shared> shared, tcp::socket socket,
                          asio::cancellation_signal& own) {
        Session session(std::move(shared), std::move(socket), worker, own);
        sessions.push_back(session);
        co_await session.run();
    }
    void close_idle() {
        group.close();
        for (Session& session : sessions) session.drain();
    }
};

constexpr Milliseconds kAfterCut{200};  ///< for what was cancelled to unwind

}  // namespace

struct Server::Impl {
    Impl(asio::io_context& c, runtime::WorkerPool& w, router::Router& r, efficiency::Controller& e,
         std::shared_ptr<access::ClientLimits> limits, std::shared_ptr<const config::Config> config)
        : control(c),
          workers(w),
          shared(std::make_shared<Shared>(r, e, std::move(limits), std::move(config))) {
        for (std::size_t i = 0; i < workers.size(); ++i) {
            sessions.push_back(std::make_unique<WorkerSessions>(workers.worker(i)));
        }
    }

    bool on_accept(Descriptor& accepted, const tcp& protocol) {
        auto& count = shared->limits->connections;
        const std::size_t limit = shared->config.load()->server.limits.connections;
        if (count.fetch_add(1, std::memory_order_relaxed) >= limit) {
            count.fetch_sub(1, std::memory_order_relaxed);
            return false;
        }
        auto* target = sessions[next++ % sessions.size()].get();
        auto& context = target->worker.context();
        asio::post(context, [target, protocol, descriptor = std::move(accepted),
                             shared_state = shared]() mutable {
            tcp::socket socket(target->worker.context());
            boost::system::error_code error;
            socket.assign(protocol, descriptor.get(), error);
            if (error) {  // no memory to watch it
                shared_state->limits->connections.fetch_sub(1, std::memory_order_relaxed);
                return;
            }
            (void)descriptor.release();
            target->start(std::move(shared_state), std::move(socket));
        });
        return true;
    }

    asio::io_context& control;
    runtime::WorkerPool& workers;
    std::shared_ptr<Shared> shared;
    std::vector<std::unique_ptr<WorkerSessions>> sessions;
    std::size_t next = 0;  ///< whose turn it is; the control thread's
    std::vector<std::shared_ptr<runtime::Listener>> listeners;
};

Server::Server(asio::io_context& control, runtime::WorkerPool& workers, router::Router& router,
               efficiency::Controller& controller, std::shared_ptr<access::ClientLimits> limits,
               std::shared_ptr<const config::Config> config)
    : impl_(std::make_unique<Impl>(control, workers, router, controller, std::move(limits),
                                   std::move(config))) {}

Server::~Server() = default;

std::optional<Error> Server::listen(const std::vector<int>& handed_over) {
    const auto config = impl_->shared->config.load();
    const config::Server& server = config->server;
    auto listeners = handed_over.empty()
                         ? runtime::listen_on(impl_->control, server.host, server.http_port,
                                              {"server.http_port", "--http-port"})
                         : runtime::adopt_all(impl_->control, handed_over);
    if (!listeners) return listeners.error();
    impl_->listeners = std::move(*listeners);
    return std::nullopt;
}

std::vector<tcp::endpoint> Server::endpoints() const {
    std::vector<tcp::endpoint> out;
    for (const auto& listener : impl_->listeners) out.push_back(listener->endpoint());
    return out;
}

void Server::reload(std::shared_ptr<const config::Config> config) {
    impl_->shared->config.store(std::move(config));
}

void Server::start() {
    Impl* impl = impl_.get();
    for (auto& listener : impl->listeners) {
        listener->start({
            .on_accept = [impl, protocol = listener->endpoint().protocol()](
                             Descriptor& socket) { return impl->on_accept(socket, protocol); },
            .busy_answer = busy_answer,
            .on_refused =
                [](int count) {
                    telemetry::log_warn("out of file descriptors: connections were refused",
                                        {{"count", std::to_string(count)}});
                },
        });
    }
}

namespace {

awaitable<void> drain_worker(WorkerSessions& sessions, TimePoint end) {
    co_await sessions.group.until_empty(end);
    if (sessions.group.size() == 0) co_return;
    sessions.group.cancel(asio::cancellation_type::total);
    co_await sessions.group.until_empty(Clock::now() + kAfterCut);
    sessions.group.cancel(asio::cancellation_type::terminal);
    for (Session& session : sessions.sessions) session.close();
    co_await sessions.group.until_empty(Clock::now() + kAfterCut);
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
