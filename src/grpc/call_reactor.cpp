#include "grpc/call_reactor.hpp"

#include "grpc/call_metrics.hpp"
#include "grpc/gate.hpp"
#include "ollama_proxy/codec/error_body.hpp"
#include "ollama_proxy/common/request_id.hpp"
#include "ollama_proxy/runtime/until_cancelled.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/system/system_error.hpp>
#include <grpcpp/server_context.h>

#include <exception>

namespace ollama_proxy::grpc_api {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

/// Up to here a reply goes along with the status, and nobody asks whether it was taken: little is
/// held for a client that takes nothing.
constexpr std::size_t kWithStatus = 64UL << 10;

std::string_view view_of(::grpc::string_ref text) { return {text.data(), text.size()}; }

/// On the steady clock; never where the client set none.
TimePoint steady_deadline(std::chrono::system_clock::time_point deadline) {
    if (deadline == std::chrono::system_clock::time_point::max()) return kNever;
    const auto left = deadline - std::chrono::system_clock::now();
    // what is further away than any answer takes would overflow the finer clock
    if (left > std::chrono::hours(24 * 365)) return kNever;
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(left);
}

Error what_it_means(const std::exception_ptr& failure, bool by_client) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) {
            return by_client ? make_error(Errc::cancelled, "the client cancelled the call")
                             : make_error(Errc::shutting_down, "the proxy is shutting down");
        }
        telemetry::log_error("a gRPC call failed", {{"error", error.what()}});
    } catch (const std::exception& error) {
        telemetry::log_error("a gRPC call failed", {{"error", error.what()}});
    }
    return make_error(Errc::internal, "a defect of the proxy ended this call; its log says more");
}

}  // namespace

Call::Reactor::Reactor(std::shared_ptr<Shared> shared, const Method& method, WorkerCalls& calls,
                       ::grpc::CallbackServerContext& context)
    : call_(*this, std::move(shared), method), calls_(calls), context_(context) {
    call_.deadline_ = steady_deadline(context.deadline());
}

void Call::Reactor::start() {
    self_ = shared_from_this();
    asio::post(calls_.worker.context(), [self = shared_from_this()] {
        auto& group = self->call_.method_.endless ? self->calls_.endless : self->calls_.group;
        if (group.spawn(run(self))) return;
        self->finish(make_error(Errc::shutting_down, "the proxy is shutting down"));
    });
}

void Call::Reactor::OnReadDone(bool ok) {
    asio::post(calls_.worker.context(), [self = shared_from_this(), ok] { self->op_ended(ok); });
}

void Call::Reactor::OnWriteDone(bool ok) { OnReadDone(ok); }

void Call::Reactor::OnCancel() {
    asio::post(calls_.worker.context(), [self = shared_from_this()] {
        self->cancelled_ = true;
        self->cancel_.emit(asio::cancellation_type::total);
    });
}

void Call::Reactor::OnDone() { std::exchange(self_, nullptr).reset(); }

void Call::Reactor::op_ended(bool ok) {
    op_ended_ = true;
    op_ok_ = ok;
    if (waiting_ != nullptr) waiting_->cancel();
}

/// One operation at a time: the one that was just started.
awaitable<bool> Call::Reactor::until_op_ended(TimePoint limit) {
    asio::steady_timer timer(calls_.worker.context());
    struct Waiting {
        asio::steady_timer*& slot;
        ~Waiting() { slot = nullptr; }
    } waiting{waiting_};
    waiting_ = &timer;
    while (!op_ended_ && Clock::now() < limit) {
        timer.expires_at(limit);
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            throw boost::system::system_error(asio::error::operation_aborted);
        }
    }
    co_return op_ended_&& op_ok_;
}

awaitable<bool> Call::Reactor::read_message(TimePoint limit) {
    op_ended_ = false;
    StartRead(&in_);
    co_return co_await until_op_ended(limit);
}

awaitable<bool> Call::Reactor::write_message(const ::grpc::ByteBuffer& message, TimePoint limit) {
    const bool taken = co_await written(limit);
    if (!taken) co_return false;
    begin_answer();
    out_ = message;
    op_ended_ = false;
    writing_ = true;
    StartWrite(&out_);
    co_return true;
}

awaitable<bool> Call::Reactor::written(TimePoint limit) {
    if (!std::exchange(writing_, false)) co_return true;
    if (op_ended_) co_return op_ok_;
    co_return co_await until_op_ended(limit);
}

void Call::Reactor::set_reply(const ::grpc::ByteBuffer& message) {
    out_ = message;
    has_reply_ = true;
}

void Call::Reactor::abort() { context_.TryCancel(); }

std::optional<Error> Call::Reactor::pass_gate() {
    CallFacts facts;
    facts.authority = view_of(context_.ExperimentalGetAuthority());
    const std::string peer = context_.peer();
    facts.peer = peer;
    for (const auto& [name, value] : context_.client_metadata()) {
        facts.metadata.emplace_back(view_of(name), view_of(value));
    }
    call_.client_ = peer_address(peer);
    call_.set_request_id(std::string(facts.get("x-request-id")));
    if (call_.shared_->draining.load(std::memory_order_relaxed)) {
        return make_error(Errc::shutting_down, "the proxy is shutting down");
    }
    auto client = check_call(facts, call_.method_.permission, call_.shared_->config.load()->server,
                             *call_.shared_->limits, call_.received_);
    if (!client) return client.error();
    call_.client_ = std::move(*client);
    call_.authorization_ = facts.get("authorization");
    return std::nullopt;
}

awaitable<std::optional<Error>> Call::Reactor::run_method() {
    auto error = co_await call_.method_.run(call_);
    if (!error && has_reply_ && out_.Length() > kWithStatus) {
        has_reply_ = false;
        const ::grpc::ByteBuffer reply = out_;
        if (!co_await write_message(reply, call_.write_limit())) co_return call_.not_taken();
    }
    // the library takes no status while a message is being written
    const bool taken = co_await written(call_.write_limit());
    if (!taken && !error) co_return call_.not_taken();
    co_return error;
}

/// The gate, then the method, which both the client and the stopping daemon may cancel.
awaitable<std::optional<Error>> Call::Reactor::serve() {
    if (auto refused = pass_gate()) co_return refused;
    if (cancelled_) co_return make_error(Errc::cancelled, "the client cancelled the call");
    std::exception_ptr failure;
    auto method = run_method();
    auto ended = co_await runtime::until_cancelled(cancel_, std::move(method), failure);
    if (failure) co_return what_it_means(failure, cancelled_);
    co_return *ended;
}

awaitable<void> Call::Reactor::run(std::shared_ptr<Reactor> self) {
    std::optional<Error> error;
    try {
        error = co_await self->serve();
    } catch (...) {
        error = what_it_means(std::current_exception(), self->cancelled_);
    }
    self->call_.lease_ = {};
    self->finish(error);
}

void Call::Reactor::begin_answer() {
    if (std::exchange(answer_begun_, true)) return;
    context_.AddInitialMetadata("x-request-id", call_.request_id_);
    if (call_.record_.first_byte_ms < 0) {
        call_.record_.first_byte_ms = to_ms(Clock::now() - call_.received_);
    }
}

/// The last thing that is done with the library: it may be gone right after.
void Call::Reactor::finish(const std::optional<Error>& error) {
    if (error && !call_.routed_) count_refusal(error->code);
    begin_answer();
    StatusCode code = StatusCode::ok;
    if (error) {
        code =
            status_code(error->code, ended_by_deadline(error->code, Clock::now(), call_.deadline_));
    }
    note_end(error, code);
    if (!error && has_reply_) {
        StartWriteAndFinish(&out_, ::grpc::WriteOptions(), ::grpc::Status::OK);
        return;
    }
    if (!error) return Finish(::grpc::Status::OK);
    if (const int seconds = retry_after_s(*error); seconds > 0) {
        context_.AddTrailingMetadata("retry-after", std::to_string(seconds));
    }
    Finish(::grpc::Status(static_cast<::grpc::StatusCode>(code), status_text(error->message)));
}

void Call::Reactor::note_end(const std::optional<Error>& error, StatusCode status) {
    telemetry::AccessRecord& record = call_.record_;
    record.duration_ms = to_ms(Clock::now() - call_.received_);
    count_call(call_.method_.path, status, record.duration_ms / 1000);
    if (!call_.shared_->config.load()->logging.access_log) return;
    record.request_id = call_.request_id_;
    record.client = call_.client_;
    record.method = "gRPC";
    record.path = call_.method_.path;
    record.status = error ? codec::status_of(error->code) : 200;
    if (error) record.error = codec::code_name(error->code);
    telemetry::write_access(record);
}

}  // namespace ollama_proxy::grpc_api
