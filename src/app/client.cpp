#include "app/client.hpp"

#include "app/load_configuration.hpp"
#include "ollama_proxy/config/endpoint.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <variant>

namespace ollama_proxy::app {
namespace asio = boost::asio;
using upstream::FetchReply;

namespace {

constexpr std::chrono::seconds kPatience{10};

/// An address to connect to for one to listen on.
std::string reachable(const std::string& host) {
    if (host == "0.0.0.0") return "127.0.0.1";
    if (host == "::") return "[::1]";
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

asio::awaitable<Result<FetchReply>> resolve_and_fetch(config::Backend backend, std::string method,
                                                      std::string target, std::string body) {
    const auto addresses = co_await upstream::resolve(backend.endpoint, kPatience);
    if (!addresses) co_return addresses.error();
    co_return co_await upstream::fetch(backend, *addresses, std::move(method), std::move(target),
                                       std::move(body), kPatience);
}

Error in_words(const Error& error, const std::string& url) {
    switch (error.code) {
        case Errc::upstream_refused:
            return make_error(error.code, "no ollama-proxy answers at " + url +
                                              ": start one with 'ollama-proxy', or name the one "
                                              "that runs with --url");
        case Errc::upstream_timeout:
            return make_error(error.code, url + " did not answer within 10 seconds");
        default:
            return make_error(error.code, "what answers at " + url + " is no ollama-proxy");
    }
}

}  // namespace

Result<std::string> daemon_url(const Options& options, const config::Environment& environment) {
    if (options.url) return *options.url;
    // Keys may be there for the daemon alone; here only its address counts.
    const config::LoadResult loaded =
        load_configuration(options, environment, config::Secrets::ignored);
    if (!loaded) {
        return make_error(Errc::config, "the configuration cannot be used (" +
                                            loaded.problems.front().to_string() +
                                            "): repair it, or name the daemon with --url");
    }
    const config::Server& server = loaded.config->server;
    if (server.http_port == 0) {
        return make_error(Errc::config,
                          "the configuration lets the daemon take any free port: name it with "
                          "--url, as its first line shows it");
    }
    return "http://" + reachable(server.host.front()) + ":" + std::to_string(server.http_port);
}

Result<Client> Client::to(const std::string& url, std::string key) {
    auto endpoint = config::parse_endpoint(url);
    if (const auto* complaint = std::get_if<std::string>(&endpoint)) {
        return make_error(Errc::config, "--url: " + *complaint);
    }
    Client client;
    client.backend_.id = "daemon";
    client.backend_.endpoint = std::get<config::Endpoint>(std::move(endpoint));
    client.backend_.secret = std::move(key);
    return client;
}

Result<FetchReply> Client::get(const std::string& target) const {
    return ask("GET", target, "", {});
}

Result<FetchReply> Client::post(const std::string& target, const std::string& body,
                                const Headers& headers) const {
    return ask("POST", target, body, headers);
}

Result<FetchReply> Client::ask(const std::string& method, const std::string& target,
                               const std::string& body, const Headers& headers) const {
    config::Backend backend = backend_;
    backend.headers = headers;
    asio::io_context context{1};
    auto reply =
        asio::co_spawn(context, resolve_and_fetch(backend, method, target, body), asio::use_future);
    context.run();
    auto result = reply.get();
    if (!result) return in_words(result.error(), url());
    return result;
}

}  // namespace ollama_proxy::app
