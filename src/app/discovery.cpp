#include "app/discovery.hpp"

#include "ollama_proxy/upstream/fetch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <string>

namespace ollama_proxy::app {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

config::Backend local_backend(std::uint16_t port) {
    const std::string number = std::to_string(port);
    config::Backend backend;
    backend.id = "ollama-" + number;
    backend.name = "Ollama on localhost:" + number + " (not configured, hardware unknown)";
    backend.endpoint.text = "http://localhost:" + number;
    backend.endpoint.host = "localhost";
    backend.endpoint.port = port;
    backend.characteristics = config::default_characteristics(backend.hardware);
    return backend;
}

bool is_ollama(const upstream::FetchReply& reply) {
    if (reply.status != 200) return false;
    const auto json = nlohmann::json::parse(reply.body, nullptr, false);
    return json.is_object() && json.contains("version");
}

asio::awaitable<bool> probe(config::Backend backend, std::chrono::milliseconds limit) {
    // Both loopbacks by number: looking "localhost" up could take longer than the answer may.
    const std::uint16_t port = backend.endpoint.port;
    const std::vector<tcp::endpoint> addresses{{asio::ip::address_v4::loopback(), port},
                                               {asio::ip::address_v6::loopback(), port}};
    const auto reply =
        co_await upstream::fetch(backend, addresses, "GET", "/api/version", "", limit);
    co_return reply.has_value() && is_ollama(*reply);
}

}  // namespace

Discovery discover_local(std::span<const std::uint16_t> ports, std::uint16_t own_port,
                         std::chrono::milliseconds limit) {
    std::vector<config::Backend> all;
    for (const std::uint16_t port : ports) {
        if (port != own_port) all.push_back(local_backend(port));
    }
    std::vector<char> answers(all.size(), 0);
    asio::io_context context{1};
    for (std::size_t i = 0; i < all.size(); ++i) {
        asio::co_spawn(context, probe(all[i], limit),
                       [&answer = answers[i]](const std::exception_ptr& error, bool answered) {
                           answer = error == nullptr && answered ? 1 : 0;
                       });
    }
    context.run();

    Discovery out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (answers[i] != 0) out.backends.push_back(all[i]);
    }
    out.found = !out.backends.empty();
    if (!out.found) out.backends = std::move(all);
    return out;
}

}  // namespace ollama_proxy::app
