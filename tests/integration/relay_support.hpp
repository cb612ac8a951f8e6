#pragma once

#include "support/daemon.hpp"
#include "support/raw_client.hpp"
#include "support/scripted_backend.hpp"

#include <future>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ollama_proxy::support {

inline constexpr std::string_view kChat = "/v1/chat/completions";
inline constexpr std::string_view kOllamaChat = "/api/chat";
inline constexpr std::string_view kMessages = "/v1/messages";

/// A chat request; Ollama's needs `stream` said either way, the others only when true.
inline std::string chat_body(bool stream = false, std::string_view model = "test-model") {
    return R"({"model":")" + std::string(model) +
           R"(","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":)" +
           (stream ? "true}" : "false}");
}

inline const std::string kAnswer = R"({"id":"c","choices":[{"message":{"content":"fine"}}]})";

inline std::string delta(std::string_view text) {
    return R"(data: {"choices":[{"index":0,"delta":{"content":")" + std::string(text) +
           "\"}}]}\n\n";
}
inline const std::string kFinish =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
inline const std::string kDone = "data: [DONE]\n\n";

/// Sections that keep probes and the breaker out of a test that is about something else.
inline const std::string kQuiet =
    "health: {interval_ms: 600000, idle_interval_ms: 600000}\n"
    "circuit_breaker: {consecutive_failures: 1000000, min_requests: 1000000}\n";

/// Healthy, and its models are known: from then on it is as good a candidate as the others.
inline void wait_until_known(const TestDaemon& daemon, std::string_view id) {
    daemon.wait_until_healthy(id);
    if (!eventually([&] { return !daemon.backend(id)->at("models").empty(); })) {
        throw TimedOut("the catalog of '" + std::string(id) + "' never came");
    }
}

/// A daemon in front of scripted backends, named a, b, c in their order, which is also the order
/// in which they are preferred.
class Chain {
  public:
    using Script = ScriptedBackend::Script;
    struct Extra {
        std::string sections = kQuiet;
        std::string per_backend = "max_concurrency: 8";
        std::vector<std::uint16_t> dead_ports;  ///< before the scripted ones: nobody listens
    };

    explicit Chain(std::vector<Script> scripts) : Chain(std::move(scripts), Extra{}) {}
    Chain(std::vector<Script> scripts, const Extra& extra) {
        std::vector<std::string> entries;
        std::string name = "a";
        for (const std::uint16_t port : extra.dead_ports) {
            entries.push_back(backend_yaml(name, port, extra.per_backend));
            ++name[0];
        }
        for (Script& script : scripts) {
            backends_.push_back(std::make_unique<ScriptedBackend>(std::move(script)));
            entries.push_back(backend_yaml(name, backends_.back()->port(), extra.per_backend));
            live_.push_back(name);
            ++name[0];
        }
        daemon_ = std::make_unique<TestDaemon>(config_yaml(entries, extra.sections));
        for (const std::string& id : live_) wait_until_known(*daemon_, id);
    }

    /// The n-th scripted backend.
    [[nodiscard]] ScriptedBackend& operator[](std::size_t n) { return *backends_.at(n); }
    [[nodiscard]] TestDaemon& daemon() { return *daemon_; }
    [[nodiscard]] std::uint16_t port() const { return daemon_->port(); }

    [[nodiscard]] HttpReply post(std::string_view body, const Headers& headers = {},
                                 std::string_view path = kChat) const {
        return http_post(port(), path, body, headers);
    }
    /// Of GET /backends.
    [[nodiscard]] int count(std::string_view id, std::string_view key) const {
        return daemon_->backend(id).value().at(std::string(key)).get<int>();
    }

  private:
    std::vector<std::unique_ptr<ScriptedBackend>> backends_;
    std::vector<std::string> live_;
    std::unique_ptr<TestDaemon> daemon_;
};

inline ScriptedBackend::Script good_backend() { return ScriptedBackend::answering_json(kAnswer); }

/// Something that a backend waits for until the test lets it go on. Once.
class Gate {
  public:
    void open() { opened_.set_value(); }
    void wait() const { (void)open_.wait_for(kPatience); }

  private:
    std::promise<void> opened_;
    std::shared_future<void> open_{opened_.get_future()};
};

/// Answers every request with this stream, framed as chunks.
inline ScriptedBackend::Script streaming(std::string type, std::vector<std::string> chunks) {
    return ScriptedBackend::answering(
        [type = std::move(type), chunks = std::move(chunks)](Peer& peer, const RecordedRequest&) {
            peer.begin_chunked(type);
            for (const std::string& chunk : chunks) peer.chunk(chunk);
            peer.end_chunked();
        });
}

/// What one event stream of each dialect looks like.
struct Dialect {
    std::string_view path;
    std::string type;
    std::string stream;       ///< whole, several events
    std::string separator;    ///< between events
    std::string error_begin;  ///< how the proxy's own error event begins
};

inline const std::vector<Dialect>& dialects() {
    static const std::vector<Dialect> all{
        {kChat, "text/event-stream",
         ": hello\n\n" + delta("\\u00e4\xc3\xa4 [DONE] ") +
             "data:{\"choices\":[{\"delta\":{\"content\":\"no blank\"}}]}\n\n" + kFinish + kDone,
         "\n\n", "data: {\"error\":"},
        {kOllamaChat, "application/x-ndjson",
         "{\"message\":{\"content\":\"\xe2\x82\xac one\"},\"done\":false}\n"
         "{\"message\":{\"content\":\"two\"},\"done\":false}\n"
         "{\"message\":{\"content\":\"\"},\"done\":true,\"eval_count\":2}\n",
         "\n", "{\"error\":"},
        {kMessages, "text/event-stream",
         "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
         "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":"
         "{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n"
         "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
         "\n\n", "event: error\ndata: "},
    };
    return all;
}

}  // namespace ollama_proxy::support
