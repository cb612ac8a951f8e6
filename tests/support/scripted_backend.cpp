#include "support/scripted_backend.hpp"

#include <exception>

namespace ollama_proxy::support {

namespace {

constexpr int kBacklog = 1024;
constexpr Milliseconds kLook{200};  ///< how often the acceptor looks whether it is to stop

std::string tags_json(const std::vector<std::string>& models) {
    std::string out = R"({"models":[)";
    for (const std::string& model : models) {
        if (out.back() != '[') out += ",";
        out.append(R"({"name":")").append(model).append(R"(","model":")").append(model);
        out += R"(","modified_at":"2025-01-01T00:00:00Z","size":1000000,"digest":"00",)";
        out += R"("details":{"format":"gguf","family":"test"},)";
        out += R"("expires_at":"2099-01-01T00:00:00Z","size_vram":1000000})";
    }
    return out + "]}";
}

std::string openai_json(const std::vector<std::string>& models) {
    std::string out = R"({"object":"list","data":[)";
    for (const std::string& model : models) {
        if (out.back() != '[') out += ",";
        out.append(R"({"id":")").append(model);
        out += R"(","object":"model","created":1735689600,"owned_by":"test"})";
    }
    return out + "]}";
}

}  // namespace

ScriptedBackend::ScriptedBackend(Script script) : ScriptedBackend(std::move(script), Options{}) {}

ScriptedBackend::ScriptedBackend(Script script, Options options)
    : ScriptedBackend(std::move(script), std::move(options), ReservedPort()) {}

ScriptedBackend::ScriptedBackend(Script script, Options options, ReservedPort port)
    : options_(std::move(options)),
      listener_(std::move(port).listen(options_.accepts ? kBacklog : 0)),
      port_(listener_.local_port()),
      script_(std::move(script)) {
    if (options_.accepts) {
        acceptor_ = std::thread([this] { accept_all(); });
    } else {
        fill_accept_queue();
    }
}

ScriptedBackend::~ScriptedBackend() {
    stop();
    for (std::thread& thread : threads_) thread.join();
}

void ScriptedBackend::stop() {
    if (!stopping_.exchange(true)) {
        listener_.shut_down();
        if (acceptor_.joinable()) acceptor_.join();
        listener_.close();
    }
    const std::lock_guard lock(mutex_);
    queue_fillers_.clear();
    for (const auto& peer : peers_) peer->interrupt();
}

void ScriptedBackend::fill_accept_queue() {
    // A backlog of 0 takes one or two connections: the first that hangs proves that it is full.
    for (;;) {
        try {
            queue_fillers_.push_back(Socket::connect(port_, Milliseconds(100)));
        } catch (const TimedOut&) {
            return;
        }
    }
}

void ScriptedBackend::accept_all() {
    while (!stopping_) {
        std::optional<Socket> socket = listener_.accept(Clock::now() + kLook);
        if (!socket) continue;
        const std::lock_guard lock(mutex_);
        peers_.push_back(std::make_unique<Peer>(*this, std::move(*socket), ++accepted_));
        threads_.emplace_back([this, peer = peers_.back().get()] { run(*peer); });
        changed_.notify_all();
    }
}

void ScriptedBackend::run(Peer& peer) {
    Script script;
    {
        const std::lock_guard lock(mutex_);
        script = script_;
    }
    try {
        script(peer);
    } catch (const PeerGone&) {
        // how most connections end
    } catch (const std::exception& error) {
        const std::lock_guard lock(mutex_);
        if (!stopping_) failures_.emplace_back(error.what());
    }
    peer.close();
}

ScriptedBackend::Script ScriptedBackend::answering(Responder responder) {
    return [responder = std::move(responder)](Peer& peer) {
        while (peer.is_open()) {
            const RecordedRequest request = peer.read_request();
            responder(peer, request);
        }
    };
}

ScriptedBackend::Script ScriptedBackend::answering_json(std::string body, int status) {
    return answering([body = std::move(body), status](Peer& peer, const RecordedRequest&) {
        peer.reply(status, body);
    });
}

void ScriptedBackend::set_script(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
}

void ScriptedBackend::set_models(std::vector<std::string> models) {
    const std::lock_guard lock(mutex_);
    options_.models = std::move(models);
}

void ScriptedBackend::set_loaded_models(std::vector<std::string> models) {
    const std::lock_guard lock(mutex_);
    options_.loaded_models = std::move(models);
}

void ScriptedBackend::set_healthy(bool healthy) {
    const std::lock_guard lock(mutex_);
    healthy_ = healthy;
}

bool ScriptedBackend::answer_probe(Peer& peer, const RecordedRequest& request) {
    if (!options_.answers_probes || request.method != "GET") return false;
    std::string body;
    bool healthy = true;
    {
        const std::lock_guard lock(mutex_);
        if (request.target == "/api/version") {
            body = R"({"version":"0.11.4"})";
        } else if (request.target == "/api/tags") {
            body = tags_json(options_.models);
        } else if (request.target == "/api/ps") {
            body = tags_json(options_.loaded_models);
        } else if (request.target == "/v1/models") {
            body = openai_json(options_.models);
        } else {
            return false;
        }
        ++probes_;
        healthy = healthy_;
        changed_.notify_all();
    }
    if (healthy) {
        peer.reply(200, body);
    } else {
        peer.reply(500, R"({"error":"scripted to be unhealthy"})");
    }
    return true;
}

void ScriptedBackend::record(const RecordedRequest& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
}

std::vector<RecordedRequest> ScriptedBackend::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

std::size_t ScriptedBackend::request_count() const {
    const std::lock_guard lock(mutex_);
    return requests_.size();
}

std::size_t ScriptedBackend::probe_count() const {
    const std::lock_guard lock(mutex_);
    return probes_;
}

std::size_t ScriptedBackend::connection_count() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
}

std::vector<RecordedRequest> ScriptedBackend::wait_for_requests(std::size_t count,
                                                                Milliseconds patience) const {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return requests_.size() >= count; })) {
        throw TimedOut("only " + std::to_string(requests_.size()) + " of " + std::to_string(count) +
                       " requests came");
    }
    return requests_;
}

std::vector<std::string> ScriptedBackend::failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
}

}  // namespace ollama_proxy::support
