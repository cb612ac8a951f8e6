#include "app/daemon.hpp"

#include "app/desktop_bus.hpp"
#include "app/grpc_front_end.hpp"
#include "app/watchdog.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/http/server.hpp"
#include "ollama_proxy/monitors/resource_monitor.hpp"
#include "ollama_proxy/router/router.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"
#include "ollama_proxy/upstream/exchange.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <future>
#include <pthread.h>
#include <thread>

namespace ollama_proxy::app {
namespace asio = boost::asio;

namespace {

std::size_t worker_count(const config::Config& config) {
    if (config.server.workers > 0) return config.server.workers;
    return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

struct Daemon::Impl {
    Impl(std::shared_ptr<const config::Config> config, Activation given)
        : activation(std::move(given)),
          guard(control.get_executor()),
          workers(worker_count(*config)),
          router(control, config),
          efficiency(control, config,
                     [this](auto policy) { router.set_policy(std::move(policy)); }),
          monitor(config),
          limits(std::make_shared<access::ClientLimits>(config->server)),
          server(control, workers, router, efficiency, limits, config),
          grpc(control, workers, router, efficiency, limits, config),
          bus(router, efficiency, monitor, config),
          watchdog(control, workers, notify_alive) {
        router.set_energy(monitor.energy());
        monitor.subscribe([this](const auto& snapshot) {
            router.set_system(snapshot);
            efficiency.set_system(*snapshot);
        });
    }

    static asio::awaitable<void> wind_down(Impl& self, Milliseconds grace) {
        const TimePoint end = Clock::now() + grace;
        self.grpc.stop_accepting();
        co_await self.server.stop(grace);
        // its calls have had the same grace meanwhile
        const auto left = std::chrono::duration_cast<Milliseconds>(end - Clock::now());
        co_await self.grpc.stop(std::max(left, Milliseconds(0)));
        self.watchdog.stop();
        self.monitor.stop();
        self.efficiency.stop();
        self.router.stop();
    }

    Activation activation;
    // In the order of building. The contexts come first and go last: what they still hold when
    // they are destroyed may refer to nothing, because they ran out of work before.
    asio::io_context control{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard;
    runtime::WorkerPool workers;
    router::Router router;
    efficiency::Controller efficiency;
    monitors::ResourceMonitor monitor;
    std::shared_ptr<access::ClientLimits> limits;
    http::Server server;
    GrpcFrontEnd grpc;
    DesktopBus bus;
    Watchdog watchdog;
    std::thread control_thread;
};

Daemon::Daemon(std::shared_ptr<const config::Config> config, Activation activation)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(activation))) {}

Daemon::~Daemon() { stop(Milliseconds(0)); }

std::optional<Error> Daemon::listen() {
    if (auto error = impl_->server.listen(impl_->activation.http_sockets)) return error;
    return impl_->grpc.listen(impl_->activation.grpc_sockets);
}

void Daemon::start() {
    impl_->bus.start();
    impl_->workers.start();
    impl_->control_thread = std::thread([impl = impl_.get()] {
        pthread_setname_np(pthread_self(), "control");
        impl->control.run();
    });
    asio::post(impl_->control, [impl = impl_.get()] {
        impl->router.start();
        impl->monitor.start();
        impl->server.start();
        impl->grpc.start();
        impl->watchdog.start(impl->activation.watchdog);
    });
}

std::vector<asio::ip::tcp::endpoint> Daemon::endpoints() const { return impl_->server.endpoints(); }

std::vector<asio::ip::tcp::endpoint> Daemon::grpc_endpoints() const {
    return impl_->grpc.endpoints();
}

void Daemon::reload(std::shared_ptr<const config::Config> config) {
    if (!impl_->control_thread.joinable()) return;
    std::packaged_task<void()> swap([impl = impl_.get(), config = std::move(config)] {
        impl->monitor.configure(config);  // before the router: it charges new backends at once
        impl->router.reload(config);
        impl->efficiency.set_config(config);
        impl->limits->configure(config->server);
        impl->server.reload(config);
        impl->grpc.reload(config);
        impl->bus.reload();
    });
    asio::post(impl_->control, std::move(swap)).get();  // Asio makes a future of such a task
    for (std::size_t i = 0; i < impl_->workers.size(); ++i) {
        asio::post(impl_->workers.worker(i).context(), upstream::drop_retired_connections);
    }
}

void Daemon::stop(Milliseconds grace) {
    if (!impl_->control_thread.joinable()) return;
    impl_->router.stop_accepting();
    asio::co_spawn(impl_->control, Impl::wind_down(*impl_, grace), asio::use_future).get();
    impl_->bus.stop();
    impl_->workers.stop();
    // After the workers: their last sessions may still have posted something to it.
    impl_->guard.reset();
    impl_->control_thread.join();
}

}  // namespace ollama_proxy::app
