// How long a token takes from who makes it to the client: straight and through the proxy, over SSE,
// WebSocket and gRPC, in turns. Three processes: the backend with a bare gRPC server that streams
// the same tokens, the daemon, and the clients. The sender writes the time into each token.
//   build/release/bench_token_delay [STREAMS] [TOKENS] [ROUNDS]
// What the proxy adds is the way through it less the straight way of the same protocol (WebSocket:
// less that of SSE, there is no other); the two ratios are what the front ends are held to.

#include "integration/daemon_process.hpp"
#include "integration/grpc/grpc_client.hpp"
#include "support/raw_client.hpp"
#include "support/ws_client.hpp"

#include <grpcpp/server_builder.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sys/prctl.h>
#include <thread>

namespace ollama_proxy::bench {
namespace {

using support::Clock;
using Delays = std::vector<double>;  ///< microseconds

constexpr std::chrono::milliseconds kInterval{5};  ///< between the tokens of a stream

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

void add(Delays& delays, std::string_view text) {
    const std::int64_t sent = std::strtoll(std::string(text).c_str(), nullptr, 10);
    delays.push_back(static_cast<double>(now_ns() - sent) / 1000);
}

// ---- who makes the tokens ----

support::ScriptedBackend::Script clockwork(int tokens) {
    using support::Peer;
    return support::ScriptedBackend::answering([tokens](Peer& peer, const auto&) {
        peer.begin_chunked();
        for (int i = 0; i < tokens; ++i) {
            peer.chunk(support::delta(std::to_string(now_ns())));
            std::this_thread::sleep_for(kInterval);
        }
        peer.chunk(support::kFinish + support::kDone);
        peer.end_chunked();
    });
}

/// The library's own server with nothing around it: what a token takes that nobody relays.
class BareServer final : public OllamaProxy::Service {
  public:
    explicit BareServer(int tokens) : tokens_(tokens) {}

    ::grpc::Status ChatCompletionStream(
        ::grpc::ServerContext*, const ChatCompletionRequest*,
        ::grpc::ServerWriter<ChatCompletionStreamResponse>* writer) override {
        ChatCompletionStreamResponse piece;
        for (int i = 0; i < tokens_; ++i) {
            piece.set_token(std::to_string(now_ns()));
            writer->Write(piece);
            std::this_thread::sleep_for(kInterval);
        }
        return ::grpc::Status::OK;
    }

  private:
    int tokens_;
};

struct Ports {
    std::uint16_t sse = 0;
    std::uint16_t grpc = 0;
};

[[noreturn]] void make_tokens(int tokens, int told) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const support::ScriptedBackend backend(clockwork(tokens));
    BareServer service(tokens);
    int port = 0;
    ::grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", ::grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    const Ports ports{backend.port(), static_cast<std::uint16_t>(port)};
    if (::write(told, &ports, sizeof ports) != sizeof ports) std::exit(1);
    for (;;) ::pause();
}

/// Before any thread or library of this process has begun.
Ports start_making_tokens(int tokens) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) std::exit(1);
    if (::fork() == 0) make_tokens(tokens, ends[1]);
    Ports ports;
    if (::read(ends[0], &ports, sizeof ports) != sizeof ports) std::exit(1);
    return ports;
}

// ---- who takes them ----

Delays over_sse(std::uint16_t port) {
    constexpr std::string_view kBefore = "\"content\":\"";
    Delays delays;
    support::RawClient client(port);
    client.send_request("POST", support::kChat, support::chat_body(true));
    auto reply = client.begin_reply("POST");
    std::size_t seen = 0;
    while (client.read_piece(reply)) {
        for (; seen < reply.pieces.size(); ++seen) {
            const std::string& bytes = reply.pieces[seen].bytes;
            const std::size_t at = bytes.find(kBefore);
            if (at != std::string::npos) add(delays, bytes.substr(at + kBefore.size()));
        }
    }
    return delays;
}

Delays over_websocket(std::uint16_t port) {
    constexpr std::string_view kBefore = "\"token\":\"";
    Delays delays;
    support::WsClient client(port);
    client.send_text(R"({"model":"test-model","messages":[{"role":"user","content":"hi"}]})");
    while (const auto frame = client.read_frame()) {
        const std::size_t at = frame->payload.find(kBefore);
        if (frame->payload.find("\"done\":true") != std::string::npos) break;
        if (at != std::string::npos) add(delays, frame->payload.substr(at + kBefore.size()));
    }
    return delays;
}

Delays over_grpc(std::uint16_t port) {
    const auto stub = grpc_tests::stub_for(port);
    Delays delays;
    ::grpc::ClientContext context;
    auto reader = stub->ChatCompletionStream(&context, grpc_tests::chat());
    for (ChatCompletionStreamResponse piece; reader->Read(&piece);) {
        if (!piece.done()) add(delays, piece.token());
    }
    if (!reader->Finish().ok()) std::exit(1);
    return delays;
}

struct Way {
    const char* name;
    std::function<Delays()> one;
    Delays all;

    [[nodiscard]] double percentile(std::size_t n) const { return all[all.size() * n / 100]; }
};

/// `streams` at once; the first tokens have waited for their connection and do not count.
void measure(Way& way, int streams) {
    std::vector<Delays> each(static_cast<std::size_t>(streams));
    std::vector<std::thread> threads;
    for (Delays& delays : each) threads.emplace_back([&delays, &way] { delays = way.one(); });
    for (std::thread& thread : threads) thread.join();
    for (const Delays& delays : each) {
        if (delays.size() < 10) std::exit(1);
        way.all.insert(way.all.end(), delays.begin() + 5, delays.end());
    }
}

int run(int streams, int tokens, int rounds) {
    const Ports straight = start_making_tokens(tokens);
    const front_end::DaemonProcess daemon(support::config_yaml(
        {support::backend_yaml("a", straight.sse, "type: openai\nmax_concurrency: 1000")},
        grpc_tests::kGrpcOn + support::kQuiet));
    const std::uint16_t port = daemon.port();
    const std::uint16_t grpc_port = daemon.grpc_port();
    std::array<Way, 5> ways{Way{"SSE, straight", [&] { return over_sse(straight.sse); }, {}},
                            Way{"SSE", [&] { return over_sse(port); }, {}},
                            Way{"WebSocket", [&] { return over_websocket(port); }, {}},
                            Way{"gRPC, straight", [&] { return over_grpc(straight.grpc); }, {}},
                            Way{"gRPC", [&] { return over_grpc(grpc_port); }, {}}};
    for (int round = 0; round < rounds; ++round) {
        for (Way& way : ways) measure(way, streams);
    }
    for (Way& way : ways) {
        std::ranges::sort(way.all);
        std::printf("%-14s p50 %6.0f us   p90 %6.0f us   p99 %6.0f us   (%zu tokens)\n", way.name,
                    way.percentile(50), way.percentile(90), way.percentile(99), way.all.size());
    }
    const auto added = [&](std::size_t way, std::size_t base) {
        return ways[way].percentile(50) - ways[base].percentile(50);
    };
    const double sse = added(1, 0);
    std::printf("added p50: SSE %.0f us, WebSocket %.0f us (%.2f of SSE), gRPC %.0f us (%.2f)\n",
                sse, added(2, 0), added(2, 0) / sse, added(4, 3), added(4, 3) / sse);
    return 0;
}

}  // namespace
}  // namespace ollama_proxy::bench

int main(int argc, char** argv) {
    const auto number = [&](int i, int otherwise) {
        return argc > i ? std::atoi(argv[i]) : otherwise;
    };
    return ollama_proxy::bench::run(number(1, 4), number(2, 200), number(3, 5));
}
