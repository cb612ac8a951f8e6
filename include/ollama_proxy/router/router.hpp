#pragma once

#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/common/observers.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/policy.hpp"
#include "ollama_proxy/monitors/energy.hpp"
#include "ollama_proxy/monitors/system_snapshot.hpp"
#include "ollama_proxy/router/explanation.hpp"
#include "ollama_proxy/router/news.hpp"
#include "ollama_proxy/router/request.hpp"
#include "ollama_proxy/router/response_stream.hpp"
#include "ollama_proxy/router/status_view.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ollama_proxy::router {

/// What the decision was, for response headers and the access log; filled as far as it went, also
/// when the request failed.
struct RouteInfo {
    bool decided = false;
    std::string backend;
    double estimated_latency_ms = 0;
    std::optional<double> estimated_watts;
    std::string_view reason;   ///< static text
    std::string alternatives;  ///< comma list, best first
    std::size_t queue_depth = 0;
    double queue_wait_ms = 0;
    std::size_t waiting = 0;  ///< while it waits for a slot: how many do, itself included; else 0
    /// Spent at backends until the answer was committed, failures included.
    double upstream_ms = 0;
    std::string_view mode;  ///< effective mode; static text
};

/// A request body that comes piece by piece (blobs), pulled while it is sent on.
class UploadSource {
  public:
    virtual ~UploadSource() = default;
    /// The next bytes, valid until the next call; empty at the end.
    virtual boost::asio::awaitable<Result<std::string_view>> next() = 0;
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const = 0;
};

/// A request that is passed to one backend as it is: model management.
struct ForwardRequest {
    std::string backend;  ///< id from X-Target-Backend; empty = the default backend
    std::string method;
    std::string target;
    std::string fields;
    std::string authorization;
    std::string body;
    UploadSource* upload = nullptr;
    bool refresh_catalog = false;  ///< the models may have changed afterwards
};

/// From a request to an answer: chooses a backend, waits for a slot, asks it, and asks another
/// while nothing of the answer has gone to the client. All failover is in here.
/// Thread: the awaitables on any worker, the rest on any thread unless said otherwise.
class Router {
  public:
    /// `control` runs probes and catalogs.
    Router(boost::asio::io_context& control, std::shared_ptr<const config::Config> config);
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    /// Begins to probe. Thread: control.
    void start();
    /// Ends probing; afterwards nothing of it runs on the control context. Thread: control.
    void stop();
    /// From now on requests get `shutting_down`, waiting ones too.
    void stop_accepting();

    /// From now on requests see this configuration and its backends. Those that a backend has got
    /// already go on with the former one, those that wait adopt the new one at once. A backend
    /// that stays as it was keeps its connections and all that is known of it. Thread: control.
    void reload(std::shared_ptr<const config::Config> config);

    void set_policy(std::shared_ptr<const efficiency::Policy> policy);
    void set_system(std::shared_ptr<const monitors::SystemSnapshot> snapshot);
    /// Who is told of the work of backends. Before the first request.
    void set_energy(monitors::EnergyLedger energy);
    /// The machine's last reading; null before the first.
    [[nodiscard]] std::shared_ptr<const monitors::SystemSnapshot> system() const;

    /// Returns with the first piece of a stream, or with the whole of another answer (up to
    /// 16 MiB, beyond that it is passed on as it comes). An error status of a backend that asking
    /// others did not cure is an answer too, with its own body.
    /// Errors: see the wire contract. Cancelling (total) leaves the queue or closes the connection.
    [[nodiscard]] boost::asio::awaitable<Result<ResponseStream>> route(
        const InferenceRequest& request, const RequestContext& context, RouteInfo& info);

    /// Passes a request to one backend, without a slot and without a retry; the answer is always a
    /// stream of bytes, whose first piece is there. Stall limit 600 s. Errors: backend_not_found,
    /// no_available_backends, bad_gateway, upstream_timeout, those of the upload. Cancelling
    /// (total) closes the connection.
    [[nodiscard]] boost::asio::awaitable<Result<ResponseStream>> forward(
        const ForwardRequest& request, const RequestContext& context, RouteInfo& info);

    /// Sends `/api/generate` with keep_alive 0 to every backend that has the model loaded, and
    /// gives the last answer (`ollama stop`).
    [[nodiscard]] boost::asio::awaitable<Result<ResponseStream>> unload(
        const InferenceRequest& request, const RequestContext& context, RouteInfo& info);

    /// What `route` would decide for this request now, without sending anything anywhere.
    /// Errors: backend_not_found. Thread: any.
    [[nodiscard]] Result<Explanation> explain(const InferenceRequest& request) const;

    [[nodiscard]] std::shared_ptr<const StatusView> view() const;

    /// All models, asked live where what is known is older than `max_age`.
    [[nodiscard]] boost::asio::awaitable<ModelsView> models(Clock::duration max_age);

    [[nodiscard]] std::shared_ptr<const config::Config> config() const;

    /// The last request that was given to a backend; nothing before the first.
    [[nodiscard]] std::optional<LastDecision> last_decision() const;

    /// Called on the control thread.
    [[nodiscard]] Observers<HealthNews>::Subscription subscribe_health(
        std::function<void(const HealthNews&)> observer);
    /// Called on workers, for every decision: must be quick.
    [[nodiscard]] Observers<LastDecision>::Subscription subscribe_decisions(
        std::function<void(const LastDecision&)> observer);
    /// Called on the control thread when work begins, and when for a second or two there was none.
    [[nodiscard]] Observers<bool>::Subscription subscribe_activity(
        std::function<void(bool busy)> observer);

    /// The machine is about to sleep: what is not yet given to a backend waits for `resume()`.
    void suspend();
    /// It is awake: connections from before are dropped, every backend is probed at once.
    void resume();

    struct Impl;

  private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace ollama_proxy::router
