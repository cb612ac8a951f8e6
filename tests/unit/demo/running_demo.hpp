#pragma once

#include "ollama_proxy/demo/demo_server.hpp"
#include "support/raw_client.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <string>
#include <thread>
#include <vector>

namespace ollama_proxy::demo {

/// A simulated server on a thread of its own, without delays unless a test sets them.
class RunningDemo {
  public:
    static DemoSettings quick() {
        DemoSettings settings;
        settings.name = "Unit (demo)";
        settings.first_token_ms = 0;
        settings.tokens_per_second = 0;
        settings.tokens = 12;
        settings.models = {{"qwen2.5:0.5b", 397'821'319}, {"llama3:latest", 4'661'224'676}};
        return settings;
    }

    explicit RunningDemo(DemoSettings settings = quick())
        : server(context_, std::move(settings)), thread_([this] { context_.run(); }) {}
    ~RunningDemo() {
        context_.stop();
        thread_.join();
    }
    RunningDemo(const RunningDemo&) = delete;
    RunningDemo& operator=(const RunningDemo&) = delete;

    [[nodiscard]] std::uint16_t port() const { return server.port(); }
    [[nodiscard]] boost::asio::io_context& context() { return context_; }

  private:
    boost::asio::io_context context_{1};

  public:
    DemoServer server;

  private:
    std::thread thread_;
};

/// The body as JSON; discarded where it is none.
inline nlohmann::json json_of(const support::HttpReply& reply) {
    return nlohmann::json::parse(reply.body, nullptr, false);
}

/// The lines of an NDJSON body.
inline std::vector<nlohmann::json> lines_of(const std::string& body) {
    std::vector<nlohmann::json> out;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t end = body.find('\n', at);
        if (end == std::string::npos) break;
        out.push_back(nlohmann::json::parse(body.substr(at, end - at), nullptr, false));
        at = end + 1;
    }
    return out;
}

/// The `data:` texts of an SSE body.
inline std::vector<std::string> events_of(const std::string& body) {
    std::vector<std::string> out;
    for (std::size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
        const std::size_t end = body.find("\n\n", at);
        if (end == std::string::npos) break;
        out.push_back(body.substr(at + 6, end - at - 6));
        at = end;
    }
    return out;
}

}  // namespace ollama_proxy::demo
