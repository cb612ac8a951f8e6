// Sends every message back over the link that `/v1/stream/ws` uses: what a conformance test of the
// protocol needs, because the daemon itself answers with messages of its own.
//   websocket_echo [--deflate]
// Prints its port and serves on loopback until it is killed.

#include "http/websocket/link.hpp"
#include "ollama_proxy/codec/http1.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

namespace ollama_proxy {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using http::WebSocketLink;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

/// Those of the suite are as long as 16 MiB.
constexpr std::size_t kLongest = 20UL << 20;

awaitable<std::optional<http::Upgrade>> read_handshake(tcp::socket& socket) {
    std::string head;
    for (;;) {
        char some[4096];
        auto [error, n] = co_await socket.async_read_some(asio::buffer(some), kToken);
        if (error) co_return std::nullopt;
        head.append(some, n);
        codec::RequestHead parsed;
        const auto outcome = codec::parse_request_head(head, {}, parsed);
        if (outcome.state == codec::HeadState::need_more) continue;
        if (outcome.state == codec::HeadState::refused) co_return std::nullopt;
        auto upgrade = http::read_upgrade(parsed, head.size() > parsed.size);
        if (!upgrade) co_return std::nullopt;
        co_return std::move(*upgrade);
    }
}

void on_close(void*) {}

struct Sending {
    asio::steady_timer ended;
    std::optional<bool> ok;
};

/// The message that was just read.
awaitable<bool> send(WebSocketLink& link, runtime::Worker& worker, WebSocketLink::Kind kind) {
    Sending sending{asio::steady_timer(worker.context(), Clock::time_point::max()), {}};
    link.start_write(
        std::string(link.message()), kind,
        [](void* argument, bool ok) {
            auto& waiting = *static_cast<Sending*>(argument);
            waiting.ok = ok;
            waiting.ended.cancel();
        },
        &sending);
    while (!sending.ok) co_await sending.ended.async_wait(kToken);
    co_return *sending.ok;
}

awaitable<void> echo(tcp::socket socket, runtime::Worker& worker, bool deflate) {
    socket.set_option(tcp::no_delay(true));
    auto upgrade = co_await read_handshake(socket);
    if (!upgrade) co_return;
    WebSocketLink::Settings settings;
    settings.message_bytes = kLongest;
    settings.deflate = deflate;
    WebSocketLink link(socket, worker.deadlines(), settings, on_close, nullptr);
    const bool accepted = co_await link.accept(std::move(*upgrade), "echo");
    if (!accepted) co_return;
    access::ByteBudget budget(2 * kLongest);
    for (;;) {
        access::ByteBudget::Lease lease;
        const WebSocketLink::Read read = co_await link.read(budget, lease);
        if (read != WebSocketLink::Read::text && read != WebSocketLink::Read::binary) co_return;
        const auto kind = read == WebSocketLink::Read::text ? WebSocketLink::Kind::text
                                                            : WebSocketLink::Kind::binary;
        const bool sent = co_await send(link, worker, kind);
        if (!sent) co_return;
    }
}

awaitable<void> serve(tcp::acceptor acceptor, runtime::Worker& worker, bool deflate) {
    for (;;) {
        auto [error, socket] = co_await acceptor.async_accept(kToken);
        if (error) co_return;
        asio::co_spawn(worker.executor(), echo(std::move(socket), worker, deflate), asio::detached);
    }
}

int run(bool deflate) {
    runtime::WorkerPool pool(1);
    runtime::Worker& worker = pool.worker(0);
    tcp::acceptor acceptor(worker.context(), {asio::ip::address_v4::loopback(), 0});
    std::printf("%d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    asio::co_spawn(worker.executor(), serve(std::move(acceptor), worker, deflate), asio::detached);
    pool.start();
    pool.stop();  // returns when there is nothing left to do: never
    return 0;
}

}  // namespace
}  // namespace ollama_proxy

int main(int argc, char** argv) {
    return ollama_proxy::run(argc > 1 && std::strcmp(argv[1], "--deflate") == 0);
}
