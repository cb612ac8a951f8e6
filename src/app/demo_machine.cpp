#include "app/demo_machine.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>
#include <string>

namespace ollama_proxy::app {
namespace {

constexpr unsigned kSlots = 4;

config::Backend backend_of(const demo::DemoServer& server) {
    const demo::DemoSettings& settings = server.settings();
    config::Backend backend;
    backend.id = "demo-" + settings.hardware;
    backend.name = settings.name;
    backend.hardware =
        config::parse_hardware(settings.hardware).value_or(config::Hardware::unknown);
    backend.endpoint.text = "http://127.0.0.1:" + std::to_string(server.port());
    backend.endpoint.host = "127.0.0.1";
    backend.endpoint.port = server.port();
    backend.max_concurrency = kSlots;
    backend.max_concurrency_given = true;
    backend.max_in_flight = 4 * kSlots;
    backend.characteristics.power_watts = settings.power_watts;
    backend.characteristics.power_known = true;
    backend.characteristics.avg_latency =
        std::chrono::milliseconds(static_cast<long>(settings.first_token_ms));
    backend.characteristics.latency_known = true;
    backend.characteristics.max_tokens_per_second = settings.tokens_per_second;
    return backend;
}

}  // namespace

DemoMachine::DemoMachine() {
    for (demo::DemoSettings& settings : demo::reference_machine()) {
        servers_.push_back(std::make_unique<demo::DemoServer>(context_, std::move(settings)));
    }
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "demo");
        context_.run();
    });
}

DemoMachine::~DemoMachine() {
    boost::asio::post(context_, [this] {
        for (const auto& server : servers_) server->stop();
    });
    thread_.join();
}

std::vector<config::Backend> DemoMachine::backends() const {
    std::vector<config::Backend> out;
    for (const auto& server : servers_) {
        out.push_back(backend_of(*server));
        // The reference machine's order is its order of preference (npu 3 ... cpu 0).
        out.back().characteristics.priority = static_cast<int>(servers_.size() - out.size());
    }
    return out;
}

}  // namespace ollama_proxy::app
