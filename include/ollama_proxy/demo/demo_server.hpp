#pragma once

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ollama_proxy::demo {

struct DemoModel {
    std::string name;
    std::uint64_t size_bytes = 0;
};

/// What a simulated server does wrong, counted from its next inference request on.
enum class Fault {
    none,               ///< answers as it should
    status_500,         ///< 500 with an Ollama error body
    status_503,         ///< 503
    status_429,         ///< 429 with Retry-After: 1
    close_before_head,  ///< accepts the request, then closes
    reset_mid_stream,   ///< RST after two tokens
    close_mid_stream,   ///< clean transport end after two tokens, without the dialect's end
    stall_mid_stream,   ///< silence after two tokens
    silent,             ///< never answers
    error_event_first,  ///< 200, then an error as the first event
    garbage_head,       ///< bytes that are no HTTP
};

struct DemoSettings {
    std::string name;               ///< shown in listings, says that it is simulated
    std::uint16_t port = 0;         ///< 0 = any free port, see port()
    double first_token_ms = 150;    ///< silence before the first token
    double tokens_per_second = 60;  ///< 0 = as fast as possible
    double load_ms = 0;             ///< added once per model that is not loaded
    int tokens = 24;                ///< length of an answer unless the request limits it
    std::vector<DemoModel> models;
    bool has_responses_and_messages = false;  ///< serve /v1/responses and /v1/messages, else 404
    std::string hardware;                     ///< npu, igpu, nvidia or cpu: what it stands for
    double power_watts = 0;                   ///< what it would draw, for the composition's use
};

/// A simulated Ollama server: real HTTP/1.1 on 127.0.0.1, native API (`/api/*`, NDJSON) and its
/// `/v1` (SSE). Deterministic text. First-run demo, test double and benchmark upstream in one.
/// It runs on the io_context that it is given and must be destroyed after that stopped.
/// Thread: settings and counters from any, the rest on the context.
class DemoServer {
  public:
    /// Binds and listens at once; throws std::system_error when it cannot.
    DemoServer(boost::asio::io_context& context, DemoSettings settings);
    ~DemoServer();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const DemoSettings& settings() const;

    void set_fault(Fault fault);  ///< until set again
    void set_speed(double first_token_ms, double tokens_per_second);
    [[nodiscard]] std::uint64_t requests() const;   ///< inference requests so far
    [[nodiscard]] int active() const;               ///< being answered now
    [[nodiscard]] std::uint64_t cancelled() const;  ///< answers that the client cut off
    /// Stops listening and closes every connection. Thread: the context's, or before it runs.
    void stop();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// The four simulated servers of the reference machine (routing contract, section 1): power and
/// latency of npu, igpu, nvidia and cpu, ports chosen freely.
[[nodiscard]] std::vector<DemoSettings> reference_machine();

}  // namespace ollama_proxy::demo
