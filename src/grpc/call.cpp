#include "grpc/call.hpp"

#include "grpc/call_reactor.hpp"
#include "ollama_proxy/common/request_id.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/slice.h>

namespace ollama_proxy::grpc_api {
using boost::asio::awaitable;

namespace {

/// The library does not tell how a message comes along, so it has this many times the limit for a
/// body that makes no progress.
constexpr int kReadLimits = 5;

::grpc::ByteBuffer bytes_of(const google::protobuf::MessageLite& message) {
    const std::size_t size = message.ByteSizeLong();
    ::grpc::Slice slice(size);
    message.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
    return {&slice, 1};
}

bool parse(const ::grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message) {
    ::grpc::Slice slice;
    if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) return false;
    return message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

void log_failure(const std::string& text) {
    telemetry::log_error("a gRPC call failed", {{"error", text}});
}

}  // namespace

WorkerCalls::WorkerCalls(runtime::Worker& w)
    : worker(w), group(w.executor(), log_failure), endless(w.executor(), log_failure) {}

Call::Call(Reactor& reactor, std::shared_ptr<Shared> shared, const Method& method)
    : reactor_(reactor), shared_(std::move(shared)), method_(method) {}

awaitable<std::optional<Error>> Call::read(google::protobuf::MessageLite& request) {
    const TimePoint limit =
        Clock::now() + kReadLimits * shared_->config.load()->server.limits.body_stall;
    if (!co_await reactor_.read_message(limit)) {
        if (Clock::now() >= limit) {
            co_return make_error(Errc::request_timeout, "the request came too slowly");
        }
        co_return make_error(Errc::invalid_request, "the call carries no request message");
    }
    request_size_ = reactor_.message().Length();
    record_.bytes_in = request_size_;
    if (!shared_->limits->body_budget.extend(lease_, request_size_, access::kSpare)) {
        co_return access::over_budget();
    }
    if (!parse(reactor_.message(), request)) {
        co_return make_error(Errc::invalid_request, "the request is no message of this method");
    }
    co_return std::nullopt;
}

awaitable<std::optional<Error>> Call::write(const google::protobuf::MessageLite& message) {
    const ::grpc::ByteBuffer bytes = bytes_of(message);
    record_.bytes_out += bytes.Length();
    const bool started = co_await reactor_.write_message(bytes, write_limit());
    if (started) co_return std::nullopt;
    co_return not_taken();
}

TimePoint Call::write_limit() const {
    return Clock::now() + shared_->config.load()->server.limits.write_stall;
}

Error Call::not_taken() {
    // what waits in the transport would keep the call from ending
    reactor_.abort();
    return make_error(Errc::cancelled, "the client takes nothing, or has left");
}

void Call::reply(const google::protobuf::MessageLite& message) {
    const ::grpc::ByteBuffer bytes = bytes_of(message);
    record_.bytes_out = bytes.Length();
    reactor_.set_reply(bytes);
}

void Call::set_request_id(const std::string& wanted) {
    if (is_valid_request_id(wanted)) {
        request_id_ = wanted;
    } else if (request_id_.empty()) {
        request_id_ = make_request_id();
    }
}

router::RequestContext Call::context() const {
    router::RequestContext out;
    out.client = client_;
    out.received = received_;
    out.deadline = deadline_;
    return out;
}

}  // namespace ollama_proxy::grpc_api
