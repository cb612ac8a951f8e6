#pragma once

#include "support/http_text.hpp"
#include "support/peer.hpp"
#include "support/socket.hpp"
#include "support/wait.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ollama_proxy::support {

/// A backend that does what the test says, on real sockets of 127.0.0.1. Each accepted connection
/// runs the script on a thread of its own. Probes (version, tags, ps, models) are answered without
/// the script and do not count as requests. Thread: all calls from any.
class ScriptedBackend {
  public:
    /// Runs once per connection; returning closes it.
    using Script = std::function<void(Peer&)>;
    /// Answers one request; runs for each until the client leaves or the peer was closed.
    using Responder = std::function<void(Peer&, const RecordedRequest&)>;

    struct Options {
        std::vector<std::string> models = {"test-model"};
        std::vector<std::string> loaded_models;  ///< in /api/ps
        bool answers_probes = true;              ///< else they are requests like others
        bool accepts = true;  ///< false: the accept queue is full, connecting hangs
    };

    explicit ScriptedBackend(Script script);
    ScriptedBackend(Script script, Options options);
    ScriptedBackend(Script script, Options options, ReservedPort port);
    ~ScriptedBackend();
    ScriptedBackend(const ScriptedBackend&) = delete;
    ScriptedBackend& operator=(const ScriptedBackend&) = delete;

    /// The script that answers every request with `responder`.
    [[nodiscard]] static Script answering(Responder responder);
    /// The script that answers every request with this JSON text.
    [[nodiscard]] static Script answering_json(std::string body, int status = 200);

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

    void set_script(Script script);  ///< for connections from now on
    void set_models(std::vector<std::string> models);
    void set_loaded_models(std::vector<std::string> models);
    /// Probes are answered with 500 while off: the backend looks unhealthy.
    void set_healthy(bool healthy);

    [[nodiscard]] std::vector<RecordedRequest> requests() const;
    [[nodiscard]] std::size_t request_count() const;
    [[nodiscard]] std::size_t probe_count() const;
    [[nodiscard]] std::size_t connection_count() const;  ///< accepted so far
    /// Waits until `count` requests have come (whole), and returns them all; throws TimedOut.
    std::vector<RecordedRequest> wait_for_requests(std::size_t count,
                                                   Milliseconds patience = kPatience) const;
    /// What scripts threw, except PeerGone: a test checks that it is empty.
    [[nodiscard]] std::vector<std::string> failures() const;

    /// Closes the listening socket and all connections: as if the backend had died.
    void stop();

  private:
    friend class Peer;
    void accept_all();
    void fill_accept_queue();
    void run(Peer& peer);
    bool answer_probe(Peer& peer, const RecordedRequest& request);
    void record(const RecordedRequest& request);

    Options options_;
    Socket listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    Script script_;
    bool healthy_ = true;
    std::size_t probes_ = 0;
    std::size_t accepted_ = 0;
    std::vector<RecordedRequest> requests_;
    std::vector<std::string> failures_;
    std::vector<Socket> queue_fillers_;
    std::list<std::unique_ptr<Peer>> peers_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

}  // namespace ollama_proxy::support
