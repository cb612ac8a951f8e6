#pragma once

#include "ollama_proxy/access/client_limits.hpp"
#include "ollama_proxy/common/clock.hpp"
#include "ollama_proxy/common/error.hpp"
#include "ollama_proxy/common/snapshot_cell.hpp"
#include "ollama_proxy/config/config.hpp"
#include "ollama_proxy/efficiency/controller.hpp"
#include "ollama_proxy/router/router.hpp"
#include "ollama_proxy/runtime/task_group.hpp"
#include "ollama_proxy/runtime/worker_pool.hpp"
#include "ollama_proxy/telemetry/access_log.hpp"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace google::protobuf {
class MessageLite;
}

namespace ollama_proxy::grpc_api {

/// What all calls share. Lives as long as any of them.
struct Shared {
    router::Router& router;
    efficiency::Controller& controller;
    const std::shared_ptr<access::ClientLimits> limits;
    SnapshotCell<config::Config> config;
    std::atomic<bool> draining{false};  ///< new calls are refused
};

class Call;

/// What a method does, on the call's worker: reads its request, then replies once or writes as
/// often as it likes. Nothing: OK; else the error becomes the call's status. Cancelled (total) when
/// the client leaves, its deadline passes, or the daemon stops.
using Run = boost::asio::awaitable<std::optional<Error>> (*)(Call& call);

struct Method {
    const char* path;  ///< "/package.Service/Name"
    access::Permission permission;
    Run run;
    bool endless =
        false;  ///< runs until the client has enough: ended at once when the daemon stops
};

/// The calls of one worker. Thread: that worker's only.
struct WorkerCalls {
    explicit WorkerCalls(runtime::Worker& w);

    runtime::Worker& worker;
    runtime::TaskGroup group;
    runtime::TaskGroup endless;
};

/// One call as its method sees it. Thread: its worker's only.
class Call {
  public:
    class Reactor;  ///< the library's side of it
    Call(Reactor& reactor, std::shared_ptr<Shared> shared, const Method& method);

    /// Reads the request. Errors: the message does not come, is no such message, or is one too many
    /// for the budget of bodies, of which it keeps its part until the call ends.
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> read(
        google::protobuf::MessageLite& request);
    /// Starts to write one message of a stream, once the transport took the one before: that is
    /// the backpressure. Error: the client has left, or takes nothing for write_stall_ms.
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> write(
        const google::protobuf::MessageLite& message);
    /// The only message of a unary call; it goes out with the status.
    void reply(const google::protobuf::MessageLite& message);

    /// Takes the client's own id where it is a good one.
    void set_request_id(const std::string& wanted);
    [[nodiscard]] const std::string& request_id() const { return request_id_; }
    /// The client's own, for backends that are configured to get it.
    [[nodiscard]] const std::string& authorization() const { return authorization_; }
    /// For the router: who asks, since when, until when.
    [[nodiscard]] router::RequestContext context() const;

    [[nodiscard]] Shared& shared() const { return *shared_; }
    /// From now on the router counts what becomes of it.
    void given_to_router() { routed_ = true; }
    [[nodiscard]] TimePoint received() const { return received_; }
    [[nodiscard]] telemetry::AccessRecord& record() { return record_; }
    /// Bytes of the request.
    [[nodiscard]] std::size_t request_size() const { return request_size_; }
    [[nodiscard]] access::ByteBudget::Lease& lease() { return lease_; }

  private:
    friend class Reactor;
    [[nodiscard]] TimePoint write_limit() const;
    [[nodiscard]] Error not_taken();

    Reactor& reactor_;
    const std::shared_ptr<Shared> shared_;
    const Method& method_;
    const TimePoint received_ = Clock::now();
    TimePoint deadline_ = kNever;  ///< the client's own
    bool routed_ = false;
    std::string request_id_;
    std::string client_;  ///< key name, else address
    std::string authorization_;
    std::size_t request_size_ = 0;
    access::ByteBudget::Lease lease_;
    telemetry::AccessRecord record_;
};

}  // namespace ollama_proxy::grpc_api
