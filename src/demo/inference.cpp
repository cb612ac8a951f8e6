#include "demo/inference.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ollama_proxy::demo {

namespace asio = boost::asio;

namespace {

constexpr int kBrokenAfter = 2;       ///< tokens before a fault in the middle
constexpr int kTurn = 32;             ///< unpaced tokens before others get their turn
constexpr std::size_t kKept = 65536;  ///< scratch capacity that is kept

Clock::duration of_ms(double ms) {
    return std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double, std::milli>(ms));
}

std::string& cleared(std::string& scratch) {
    if (scratch.capacity() > kKept) scratch = std::string();
    scratch.clear();
    return scratch;
}

bool breaks_in_the_middle(Fault fault) {
    return fault == Fault::reset_mid_stream || fault == Fault::close_mid_stream ||
           fault == Fault::stall_mid_stream;
}

}  // namespace

Inference::Inference(State& state, Connection& connection, const Request& request, Job job)
    : state_(state),
      connection_(connection),
      request_(request),
      job_(std::move(job)),
      number_(state.requests.fetch_add(1) + 1),
      fault_(state.fault.load()),
      start_(Clock::now()) {
    state_.active.fetch_add(1);
    const double speed = state.tokens_per_second.load();
    step_ = speed > 0 ? of_ms(1000 / speed) : Clock::duration::zero();
}

Inference::~Inference() { state_.active.fetch_sub(1); }

TimePoint Inference::due(int piece) const { return first_ + piece * step_; }

Timing Inference::timing() const {
    return {ready_ - start_, first_ - ready_, Clock::now() - first_};
}

bool Inference::client_left() {
    state_.cancelled.fetch_add(1);
    return false;
}

asio::awaitable<bool> Inference::wait_until(TimePoint due) {
    // gcc 12 destroys a coroutine twice when an `if` whose condition holds a temporary (now())
    // returns from it and a later `if` awaits in its condition.
    bool stayed = true;
    if (due > Clock::now()) stayed = co_await connection_.pause_until(due);
    if (!stayed) client_left();
    co_return stayed;
}

asio::awaitable<bool> Inference::run() {
    switch (fault_) {
        case Fault::status_500:
        case Fault::status_503:
        case Fault::status_429:
        case Fault::close_before_head:
        case Fault::garbage_head:
        case Fault::silent:
            co_return co_await fail_at_once(fault_);
        default:
            break;
    }
    ready_ =
        state_.models.load(job_.model, start_, of_ms(state_.settings.load_ms), job_.keep_alive);
    first_ = ready_ + of_ms(state_.first_token_ms.load());
    renderer_ = make_renderer(job_, state_, number_);
    const bool keep = job_.stream ? co_await stream() : co_await full();
    if (job_.keep_alive == Clock::duration::zero()) state_.models.unload(job_.model);
    co_return keep;
}

asio::awaitable<bool> Inference::fail_at_once(Fault fault) {
    if (fault == Fault::close_before_head) co_return false;
    if (fault == Fault::silent) co_return co_await wait_until(kNever);
    if (fault == Fault::garbage_head) {
        co_await connection_.send("\x16\x03\x01 this is no HTTP\r\n\r\n");
        co_return false;
    }
    const int status = fault == Fault::status_503 ? 503 : fault == Fault::status_429 ? 429 : 500;
    const std::string_view why = status == 503   ? "server busy, please try again"
                                 : status == 429 ? "too many requests"
                                                 : "llama runner process has terminated";
    std::string reply;
    render(reply, request_, error_reply(family_of(job_.dialect), status, why));
    co_return co_await connection_.send(reply) && request_.keep_alive;
}

asio::awaitable<bool> Inference::stream() {
    if (!co_await wait_until(first_)) co_return false;
    std::string& out = cleared(state_.scratch);
    render_stream_head(out, request_, renderer_->stream_type());
    Chunk chunk(out, request_);
    if (fault_ == Fault::error_event_first) {
        renderer_->error(out, "llama runner process has terminated");
        chunk.close();
        render_stream_end(out, request_);
        co_await connection_.send(out);
        co_return false;
    }
    renderer_->begin(out);
    if (job_.tool) {
        renderer_->tool(out);
    } else if (job_.pieces() > 0) {
        renderer_->token(out, job_.answer.piece(0));
    }
    chunk.close();
    if (!co_await connection_.send(out)) co_return client_left();
    if (!co_await stream_pieces()) co_return false;
    std::string& tail = cleared(state_.scratch);
    Chunk last(tail, request_);
    renderer_->end(tail, timing());
    last.close();
    render_stream_end(tail, request_);
    if (!co_await connection_.send(tail)) co_return client_left();
    co_return request_.keep_alive&& request_.minor_version != 0;
}

asio::awaitable<bool> Inference::stream_pieces() {
    const int pieces = job_.pieces();
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (int i = 1; i < pieces; ++i) {
        if (i == kBrokenAfter && breaks_in_the_middle(fault_)) co_return co_await break_off();
        if (!co_await wait_until(due(i))) co_return false;
        if (step_ == Clock::duration::zero() && i % kTurn == 0) {
            co_await asio::post(executor, asio::use_awaitable);
        }
        std::string& out = cleared(state_.scratch);
        Chunk chunk(out, request_);
        renderer_->token(out, job_.answer.piece(i));
        chunk.close();
        if (!co_await connection_.send(out)) co_return client_left();
    }
    if (breaks_in_the_middle(fault_)) co_return co_await break_off();
    co_return true;
}

asio::awaitable<bool> Inference::full() {
    if (!co_await wait_until(due(job_.pieces()))) co_return false;
    Reply reply;
    if (fault_ == Fault::error_event_first) {
        reply.body =
            error_body(family_of(job_.dialect), 500, "llama runner process has terminated");
    } else {
        renderer_->full(reply.body, timing());
    }
    std::string& out = cleared(state_.scratch);
    render(out, request_, reply);
    if (breaks_in_the_middle(fault_)) {
        const std::string half = out.substr(0, out.size() - reply.body.size() / 2 - 1);
        if (!co_await connection_.send(half)) co_return client_left();
        co_return co_await break_off();
    }
    if (!co_await connection_.send(out)) co_return client_left();
    co_return request_.keep_alive;
}

asio::awaitable<bool> Inference::break_off() {
    if (fault_ == Fault::stall_mid_stream) co_return co_await wait_until(kNever);
    if (fault_ == Fault::reset_mid_stream) {
        connection_.reset();
    } else if (job_.stream) {
        std::string end;
        render_stream_end(end, request_);
        co_await connection_.send(end);
    }
    co_return false;
}

asio::awaitable<bool> load_only(State& state, Connection& connection, const Request& request,
                                const Job& job) {
    const bool unload = job.keep_alive == Clock::duration::zero();
    if (unload) {
        state.models.unload(job.model);
    } else {
        const TimePoint now = Clock::now();
        const TimePoint ready =
            state.models.load(job.model, now, of_ms(state.settings.load_ms), job.keep_alive);
        if (ready > now) {
            if (!co_await connection.pause_until(ready)) co_return false;
        }
    }
    Json body = {{"model", job.model},
                 {"created_at", state.stamps.text(std::chrono::system_clock::now())}};
    if (job.dialect == Dialect::ollama_chat) {
        body["message"] = {{"role", "assistant"}, {"content", ""}};
    } else {
        body["response"] = "";
    }
    body["done"] = true;
    body["done_reason"] = unload ? "unload" : "load";
    std::string out;
    render(out, request, json_reply(body));
    co_return co_await connection.send(out) && request.keep_alive;
}

}  // namespace ollama_proxy::demo
