// How long a token takes from the backend to the client: without the proxy, through it over SSE,
// and through it over gRPC, side by side in one process. The sender writes the time into each
// token.
//   build/release/bench_token_delay [STREAMS] [TOKENS]

#include "integration/grpc/grpc_client.hpp"
#include "support/raw_client.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
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

Delays over_grpc(OllamaProxy::Stub& stub) {
    Delays delays;
    ::grpc::ClientContext context;
    auto reader = stub.ChatCompletionStream(&context, grpc_tests::chat());
    for (ChatCompletionStreamResponse piece; reader->Read(&piece);) {
        if (!piece.done()) add(delays, piece.token());
    }
    if (!reader->Finish().ok()) std::exit(1);
    return delays;
}

/// `streams` at once; a first token has waited for its connection and does not count.
template <class One>
void measure(const char* name, int streams, const One& one) {
    std::vector<Delays> each(static_cast<std::size_t>(streams));
    std::vector<std::thread> threads;
    for (Delays& delays : each) threads.emplace_back([&delays, &one] { delays = one(); });
    for (std::thread& thread : threads) thread.join();
    Delays all;
    for (const Delays& delays : each) all.insert(all.end(), delays.begin() + 1, delays.end());
    std::ranges::sort(all);
    std::printf("%-8s p50 %6.0f us   p90 %6.0f us   p99 %6.0f us   (%zu tokens)\n", name,
                all[all.size() / 2], all[all.size() * 9 / 10], all[all.size() * 99 / 100],
                all.size());
}

}  // namespace
}  // namespace ollama_proxy::bench

int main(int argc, char** argv) {
    using namespace ollama_proxy;
    const int streams = argc > 1 ? std::atoi(argv[1]) : 4;
    const int tokens = argc > 2 ? std::atoi(argv[2]) : 400;
    const auto extra = grpc_tests::speaking_grpc("type: openai\nmax_concurrency: 1000");
    support::Chain chain({bench::clockwork(tokens)}, extra);
    const auto stub = grpc_tests::stub_for(chain.daemon().grpc_port());
    for (int round = 0; round < 3; ++round) {
        bench::measure("direct", streams, [&] { return bench::over_sse(chain[0].port()); });
        bench::measure("SSE", streams, [&] { return bench::over_sse(chain.port()); });
        bench::measure("gRPC", streams, [&] { return bench::over_grpc(*stub); });
    }
}
