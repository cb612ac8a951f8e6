// The upstream of the benchmarks: one simulated Ollama server in a process of its own, so that its
// CPU time is not the proxy's. Prints its port, then serves until it is killed.
//   bench_upstream FIRST_TOKEN_MS TOKENS_PER_SECOND TOKENS

#include "ollama_proxy/demo/demo_server.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    using namespace ollama_proxy;
    if (argc != 4) {
        std::fputs("usage: bench_upstream FIRST_TOKEN_MS TOKENS_PER_SECOND TOKENS\n", stderr);
        return 2;
    }
    boost::asio::io_context context(1);
    demo::DemoSettings settings;
    settings.name = "bench";
    settings.first_token_ms = std::atof(argv[1]);
    settings.tokens_per_second = std::atof(argv[2]);
    settings.tokens = std::atoi(argv[3]);
    settings.models = {{"bench:latest", 1000000}};
    demo::DemoServer server(context, settings);
    std::printf("%u\n", static_cast<unsigned>(server.port()));
    std::fflush(stdout);
    context.run();
}
