#include "http/websocket/session.hpp"

#include "http/http_metrics.hpp"
#include "ollama_proxy/common/request_id.hpp"
#include "ollama_proxy/telemetry/log.hpp"

#include <boost/asio/this_coro.hpp>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

WebSocketLink::Settings link_settings(const config::Config& config) {
    WebSocketLink::Settings settings;
    settings.message_bytes = config.websocket.frame_bytes;
    settings.deflate = config.websocket.deflate;
    settings.idle = config.server.limits.idle_timeout;
    settings.write_stall = config.server.limits.write_stall;
    return settings;
}

Error shutting_down() {
    Error error = make_error(Errc::shutting_down, "the proxy is shutting down");
    error.retry_after_s = 1;
    return error;
}

}  // namespace

WebSocketSession::WebSocketSession(std::shared_ptr<Shared> shared, asio::ip::tcp::socket& socket,
                                   runtime::Worker& worker, Client client)
    : shared_(std::move(shared)),
      client_(std::move(client)),
      worker_(worker),
      link_(
          socket, worker.deadlines(), link_settings(*shared_->config.load()),
          [](void* self) { static_cast<WebSocketSession*>(self)->lost(); }, this),
      outbox_(worker.executor()),
      over_wake_(worker.executor()),
      tasks_(worker.executor(), [](const std::string& text) {
          telemetry::log_error("a WebSocket request failed", {{"error", text}});
      }) {}

awaitable<void> WebSocketSession::run(Upgrade upgrade, std::string request_id) {
    // what is started below refers to this object: nothing may throw past it
    co_await asio::this_coro::throw_if_cancelled(false);
    const bool accepted = co_await link_.accept(std::move(upgrade), std::move(request_id));
    if (!accepted) co_return;
    tasks_.spawn(read_messages());
    tasks_.spawn(write_messages());
    while (!over_) {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            stop_requests(Errc::shutting_down);
            drain();  // goodbye follows the last word of the last request
            break;
        }
        co_await over_wake_.wait();
    }
    // All of it ends now: the requests are cancelled, and the connection is closing, or closed by
    // who stops us.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    while (tasks_.size() > 0) co_await tasks_.until_empty();
}

void WebSocketSession::drain() {
    draining_ = true;
    if (active_.empty()) outbox_.finish(CloseCode::going_away, "the proxy is shutting down");
}

awaitable<void> WebSocketSession::read_messages() {
    auto& budget = shared_->limits->body_budget;
    for (;;) {
        access::ByteBudget::Lease lease;
        const auto read = co_await link_.read(budget, lease);
        if (read == WebSocketLink::Read::ended) break;
        if (outbox_.shut()) continue;  // only the peer's close frame is awaited now
        if (read == WebSocketLink::Read::binary) {
            stop_requests(Errc::cancelled);
            outbox_.finish(CloseCode::unsupported, "send text messages");
        } else if (read == WebSocketLink::Read::no_room) {
            outbox_.finish(CloseCode::try_later, "out of memory for messages");
        } else {
            take_message(link_.message(), std::move(lease));
            co_await outbox_.room();
        }
    }
    lost();
    link_.cut();
}

awaitable<void> WebSocketSession::write_messages() {
    co_await outbox_.run(link_);
    lost();
}

void WebSocketSession::take_message(std::string_view text, access::ByteBudget::Lease lease) {
    auto read = read_client_message(text, client_.hints);
    if (!read) return refuse(read.error().request_id, read.error().error);
    ClientMessage& message = *read;
    if (message.kind == ClientMessage::Kind::cancel) {
        // an answer that has just ended cannot be cancelled any more: that is no error
        const auto found = active_.find(message.request_id);
        if (found != active_.end()) stop(*found->second, Errc::cancelled);
        return;
    }
    if (message.request_id.empty()) message.request_id = make_request_id();
    if (active_.contains(message.request_id)) {
        // under its id the client would take this for the end of the other one
        return refuse(
            {}, make_error(Errc::invalid_request,
                           "request_id '" + message.request_id + "' is being answered already",
                           "request_id"));
    }
    if (const auto error = refusal(message.hints.priority)) {
        return refuse(message.request_id, *error);
    }
    auto active = std::make_unique<Active>(std::move(message));
    active->lease = std::move(lease);
    active_.emplace(active->message.request_id, active.get());
    tasks_.spawn(serve(std::move(active)));
}

/// Why a well-formed request is not even tried.
std::optional<Error> WebSocketSession::refusal(router::Priority priority) {
    if (draining_) return shutting_down();
    const std::size_t limit = shared_->config.load()->websocket.max_in_flight;
    if (active_.size() >= limit) {
        Error error = make_error(Errc::queue_full,
                                 "at most " + std::to_string(limit) +
                                     " requests at once on one socket (websocket.max_in_flight)");
        error.retry_after_s = 1;
        return error;
    }
    // the message itself is counted already
    if (priority == router::Priority::best_effort &&
        !shared_->limits->body_budget.has_room(0, access::kSpareBestEffort)) {
        return access::over_budget();
    }
    if (const int wait = shared_->limits->rate_limiter.take(client_.name, Clock::now())) {
        Error error = make_error(Errc::rate_limited, "too many requests; try again later");
        error.retry_after_s = wait;
        return error;
    }
    return std::nullopt;
}

void WebSocketSession::refuse(const std::string& request_id, const Error& error) {
    count_refusal(error.code);
    count_websocket_request(error, 0);
    outbox_.push(AnswerWriter(request_id).error(error));
}

void WebSocketSession::stop(Active& active, Errc reason) {
    active.stopped = active.stopped.value_or(reason);
    active.cancel.emit(asio::cancellation_type::total);
}

/// Cancels every request; `reason` is what it tells the client, if that is still there.
void WebSocketSession::stop_requests(Errc reason) {
    // a cancelled one may end within emit() and leave the map
    for (auto it = active_.begin(); it != active_.end();) {
        Active& active = *it->second;
        ++it;
        stop(active, reason);
    }
}

/// The client is gone or has said goodbye: nothing more is sent, and nothing more computed.
void WebSocketSession::lost() {
    over_ = true;
    outbox_.abort();
    stop_requests(Errc::cancelled);
    over_wake_.notify();
}

}  // namespace ollama_proxy::http
