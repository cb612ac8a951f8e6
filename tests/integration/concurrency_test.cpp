// A thousand streams at once: none lost, none mixed, nothing left behind.

#include "integration/relay_support.hpp"
#include "ollama_proxy/demo/demo_server.hpp"
#include "support/process.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>
#include <sys/resource.h>
#include <thread>

namespace ollama_proxy {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kStreams = 1000;
constexpr int kTokens = 100;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

/// A demo server on a thread of its own.
class Engine {
  public:
    explicit Engine(demo::DemoSettings settings)
        : server_(std::make_unique<demo::DemoServer>(context_, std::move(settings))),
          thread_([this] { context_.run(); }) {}
    ~Engine() {
        asio::post(context_, [this] { server_->stop(); });
        guard_.reset();
        thread_.join();
    }
    [[nodiscard]] demo::DemoServer& server() { return *server_; }

  private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
    std::unique_ptr<demo::DemoServer> server_;
    std::thread thread_;
};

asio::awaitable<void> read_stream(std::uint16_t port, std::string marker, std::string* out) {
    tcp::socket socket(co_await asio::this_coro::executor);
    const tcp::endpoint address(asio::ip::address_v4::loopback(), port);
    auto [failed] = co_await socket.async_connect(address, kToken);
    if (failed) co_return;
    const std::string body = R"({"model":"m","stream":true,"max_tokens":)" +
                             std::to_string(kTokens) +
                             R"(,"messages":[{"role":"user","content":")" + marker + R"("}]})";
    const std::string request =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    auto [unsent, n] = co_await asio::async_write(socket, asio::buffer(request), kToken);
    if (unsent) co_return;
    std::array<char, 8192> buffer{};
    for (;;) {
        auto [error, got] = co_await socket.async_read_some(asio::buffer(buffer), kToken);
        if (error) co_return;
        out->append(buffer.data(), got);
    }
}

/// The texts of all deltas in a raw chunked reply.
struct Received {
    bool clean = false;
    std::string events;
    int tokens = 0;
};
Received decode(std::string raw) {
    Received out;
    const auto head = support::take_head(raw);
    if (!head || !head->is_chunked()) return out;
    std::string data;
    for (;;) {
        const auto state = support::take_chunk(raw, data);
        if (state == support::ChunkState::last) out.clean = true;
        if (state != support::ChunkState::data) break;
        out.events += data;
    }
    for (std::size_t at = 0; (at = out.events.find("\"content\":\"", at)) != std::string::npos;) {
        ++at;
        if (out.events.compare(at - 1, 12, "\"content\":\"\"") != 0) ++out.tokens;
    }
    return out;
}

TEST(Concurrency, AThousandStreamsAreNeitherLostNorMixed) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 4 * kStreams + 200) GTEST_SKIP() << "too few descriptors allowed here";

    demo::DemoSettings settings;
    settings.name = "engine";
    settings.first_token_ms = 1;
    settings.tokens_per_second = 0;
    settings.tokens = kTokens;
    settings.models = {{"m", 1000}};
    Engine engine(settings);
    support::TestDaemon daemon(
        support::config_yaml({support::backend_yaml("e", engine.server().port(),
                                                    "max_concurrency: 2000\nmax_in_flight: 2000")},
                             support::kQuiet));
    daemon.wait_until_healthy("e");
    EXPECT_TRUE(support::eventually([&] { return !daemon.backend("e")->at("models").empty(); }));
    const std::size_t before = support::open_descriptors();

    std::vector<std::string> replies(kStreams);
    {
        asio::io_context context{1};
        for (int i = 0; i < kStreams; ++i) {
            const std::string marker = "marker-" + std::to_string(i) + "-";
            asio::co_spawn(
                context, read_stream(daemon.port(), marker, &replies[static_cast<std::size_t>(i)]),
                [](const std::exception_ptr& failure) {
                    if (failure) std::rethrow_exception(failure);
                });
        }
        context.run();
    }
    int whole = 0;
    for (int i = 0; i < kStreams; ++i) {
        const Received got = decode(std::move(replies[static_cast<std::size_t>(i)]));
        const std::string marker = "marker-" + std::to_string(i) + "-";
        const std::size_t first = got.events.find("marker-");
        const bool mine = first != std::string::npos &&
                          got.events.compare(first, marker.size(), marker) == 0 &&
                          got.events.find("marker-", first + 1) == std::string::npos;
        const bool done = got.events.ends_with("data: [DONE]\n\n");
        if (got.clean && done && mine && got.tokens == kTokens)
            ++whole;
        else
            ADD_FAILURE() << i << ": clean " << got.clean << ", tokens " << got.tokens
                          << ", its own marker " << mine;
        if (HasFailure() && i - whole > 3) break;
    }
    EXPECT_EQ(whole, kStreams);
    EXPECT_EQ(engine.server().requests(), static_cast<std::uint64_t>(kStreams));
    const auto entry = daemon.backend("e").value();
    EXPECT_EQ(entry["in_flight"], 0);
    EXPECT_EQ(entry["queue_depth"], 0);
    EXPECT_EQ(entry["failures"], 0);
    // pooled connections to the engine stay: two ends each, at most 64 per worker
    EXPECT_TRUE(support::eventually([&] {
        return support::open_descriptors() <= before + 2 * 2 * 64 + 8;
    })) << before
        << " -> " << support::open_descriptors();
}

TEST(Concurrency, ClientsThatComeAndLeaveLeaveNothingBehind) {
    demo::DemoSettings settings;
    settings.name = "engine";
    settings.first_token_ms = 5;
    settings.tokens_per_second = 2000;
    settings.tokens = 50;
    settings.models = {{"m", 1000}};
    Engine engine(settings);
    support::TestDaemon daemon(support::config_yaml(
        {support::backend_yaml("e", engine.server().port(), "max_concurrency: 3")},
        support::kQuiet));
    daemon.wait_until_healthy("e");
    EXPECT_TRUE(support::eventually([&] { return !daemon.backend("e")->at("models").empty(); }));
    const std::string body =
        R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]})";
    // leaving at every moment of a request's life, several at a time
    for (int round = 0; round < 60; ++round) {
        std::vector<std::unique_ptr<support::RawClient>> clients;
        for (int i = 0; i < 5; ++i) {
            clients.push_back(std::make_unique<support::RawClient>(daemon.port()));
            clients.back()->send_request("POST", support::kChat, body);
        }
        if (round % 3 == 1) (void)clients[0]->begin_reply("POST");
        if (round % 3 == 2) (void)clients[0]->read_reply("POST");
        for (auto& client : clients) {
            if (round % 2 == 0) client->reset();
        }
    }
    EXPECT_TRUE(support::eventually([&] {
        const auto entry = daemon.backend("e").value();
        return entry["in_flight"] == 0 && entry["queue_depth"] == 0;
    }));
    EXPECT_EQ(daemon.backend("e")->at("failures"), 0);
    EXPECT_EQ(support::http_post(daemon.port(), support::kChat, body).status, 200);
}

}  // namespace
}  // namespace ollama_proxy
