#include "http/session.hpp"

#include "http/efficiency_replies.hpp"
#include "http/hints.hpp"
#include "http/metrics_reply.hpp"
#include "http/origin.hpp"
#include "http/status_replies.hpp"
#include "http/thermal_reply.hpp"
#include "ollama_proxy/common/ascii.hpp"
#include "ollama_proxy/common/request_id.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace ollama_proxy::http {
namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr Milliseconds kLinger{5000};
constexpr Milliseconds kLastLinger{200};

}  // namespace

Session::Session(std::shared_ptr<Shared> shared, boost::asio::ip::tcp::socket socket,
                 runtime::Worker& worker, boost::asio::cancellation_signal& own)
    : shared_(std::move(shared)),
      own_(own),
      config_(shared_->config.load()),
      worker_(worker),
      downstream_(std::move(socket), worker, config_->server.limits.header_bytes),
      local_address_(downstream_.local_address()),
      peer_address_(downstream_.peer_address()) {}

Session::~Session() { shared_->limits->connections.fetch_sub(1, std::memory_order_relaxed); }

awaitable<void> Session::run() {
    codec::RequestHead head;
    After after = After::keep;
    try {
        while (after == After::keep) {
            // not in the condition: gcc 12 evaluates a co_await behind && there in any case
            if (!co_await read_head(head)) break;
            after = co_await serve(head);
            idle_ = true;
            if (shared_->draining.load(std::memory_order_relaxed)) break;
        }
    } catch (const boost::system::system_error& error) {
        // where a session ends whose coroutine was cancelled from outside, by shutting down
        if (error.code() != asio::error::operation_aborted) throw;
        cut_by_stop();
        if (!last_words_) {
            downstream_.close();
            throw;
        }
    }
    if (last_words_) {
        // the cancellation has done its work; who closes the socket afterwards ends the linger
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        after = After::linger;
    }
    if (after == After::linger) {
        // who keeps the connection open after the last answer must not hold up the daemon's end
        const bool ending = shared_->draining.load(std::memory_order_relaxed) && !body_unread_;
        co_await downstream_.linger(ending ? kLastLinger : kLinger);
    }
    downstream_.close();
}

/// Waits for a whole head. False: the connection is over (an error, if due, has been sent).
awaitable<bool> Session::read_head(codec::RequestHead& head) {
    const config::Limits& limits = config_->server.limits;
    const codec::HeadLimits head_limits{limits.header_bytes, limits.header_fields,
                                        std::min<std::size_t>(limits.header_bytes / 2, 8192)};
    TimePoint begin = kNever;  // of the head: its first byte
    for (;;) {
        if (!downstream_.unread().empty() && begin == kNever) {
            begin = Clock::now();
            idle_ = false;
        }
        if (begin != kNever) {
            const auto outcome = codec::parse_request_head(downstream_.unread(), head_limits, head);
            if (outcome.state == codec::HeadState::complete) co_return true;
            if (outcome.state == codec::HeadState::refused) {
                const Error error = make_error(outcome.code, outcome.why);
                const After after = co_await refuse_head(error);
                if (after == After::linger) co_await downstream_.linger(kLinger);
                co_return false;
            }
        }
        Milliseconds limit = limits.idle_timeout;
        if (begin != kNever) {
            const auto left = begin + limits.header_timeout - Clock::now();
            limit = std::max(Milliseconds(1), std::chrono::duration_cast<Milliseconds>(left));
        }
        const auto result = co_await downstream_.read_more(limit);
        if (result == Downstream::ReadResult::closed) co_return false;
        if (result == Downstream::ReadResult::timeout) {
            if (begin == kNever) co_return false;
            const Error error =
                make_error(Errc::request_timeout, "the header of the request came too slowly");
            const After after = co_await refuse_head(error);
            if (after == After::linger) co_await downstream_.linger(kLinger);
            co_return false;
        }
    }
}

/// Answers a head that could not be read. Its path may be known, its dialect then too.
awaitable<Session::After> Session::refuse_head(const Error& error) {
    const std::string_view bytes = downstream_.unread();
    const std::size_t space = bytes.find(' ');
    std::string_view target = space == bytes.npos ? std::string_view() : bytes.substr(space + 1);
    target = target.substr(0, target.find_first_of(" ?\r\n"));
    request_ = {};
    request_.method = "-";
    request_.path = target.substr(0, 256);
    request_.dialect = codec::error_dialect_of(request_.path);
    make_request_id(request_.request_id);
    request_.received = Clock::now();
    request_.keep_alive = false;
    common_ = {request_.request_id, echoed_origin(origin_in(bytes), config_->server)};
    record_ = {};
    in_hand_ = true;
    client_ = peer_address_;
    body_unread_ = true;
    note_error(error);
    Reply reply = error_reply(request_.dialect, error);
    co_return co_await send(std::move(reply));
}

/// One request whose head is there. Not a coroutine, and whom it chooses is awaited by `run`: a
/// frame here would be held by every stream.
awaitable<Session::After> Session::serve(const codec::RequestHead& head) {
    shared_->config.refresh(config_);
    read_request(head, Clock::now(), request_);
    common_ = {request_.request_id, {}};
    record_ = {};
    in_hand_ = true;
    stream_open_ = false;
    opened_ = false;
    close_after_ = false;
    client_ = peer_address_;
    body_unread_ = request_.has_body();
    Permission needed = Permission::none;
    if (const auto refused = check_gates(needed)) {
        downstream_.consume(head.size);
        note_error(*refused);
        Reply reply = error_reply(request_.dialect, *refused);
        if (refused->code == Errc::method_not_allowed) {
            reply.fields += "Allow: " + allow_list(allowed_verbs()) + "\r\n";
        }
        return send(std::move(reply));
    }
    if (request_.verb == kOptions) {
        downstream_.consume(head.size);
        return send(preflight_reply());
    }
    switch (request_.route->handler) {
        case Handler::inference:
            return serve_inference(head);
        case Handler::management:
            return serve_management(head, false);
        case Handler::blob:
            return serve_management(head, true);
        case Handler::websocket:
            return serve_websocket(head);
        case Handler::explain:
            return serve_explain(head);
        case Handler::set_efficiency:
            return serve_set_efficiency(head);
        default:
            downstream_.consume(head.size);
            return serve_status();
    }
}

/// Host, origin, verb, key, rate, encoding and announced size: all before a byte of the body.
std::optional<Error> Session::check_gates(Permission& needed) {
    const access::BrowserFacts facts{request_.host, request_.origin, request_.has_origin,
                                     request_.sec_fetch_site, local_address_};
    // also with a refusal, or the page cannot read what is wrong
    common_.origin = echoed_origin(request_.origin, config_->server);
    if (auto error = access::check_browser(facts, config_->server)) return error;
    if (request_.verb == kOptions) return std::nullopt;
    if (request_.method == "CONNECT" || request_.method == "TRACE") {
        return make_error(Errc::method_not_allowed, request_.method + " is not served here");
    }
    const bool no_metrics =
        request_.route && request_.route->handler == Handler::metrics && !config_->metrics.enabled;
    if (!request_.route || no_metrics) {
        return make_error(Errc::route_not_found, "there is no " + request_.path + " here");
    }
    if (!(request_.route->verbs & request_.verb)) {
        return make_error(Errc::method_not_allowed,
                          request_.path + " answers " + allow_list(verbs_of(request_.path)));
    }
    needed = request_.route->permission;
    const std::string_view bearer = access::bearer_of(request_.authorization);
    auto client = access::admit(bearer.empty() ? request_.api_key : bearer, peer_address_, needed,
                                config_->server, *shared_->limits, request_.received);
    if (!client) return client.error();
    client_ = std::move(*client);
    if (!request_.content_encoding.empty()) {
        return make_error(Errc::unsupported_encoding,
                          "send the body as it is, without Content-Encoding", "Content-Encoding");
    }
    const bool is_blob = request_.route->handler == Handler::blob;
    if (!is_blob && request_.content_length > config_->server.limits.body_bytes) {
        return make_error(Errc::request_too_large,
                          "the body is larger than server.limits.body_bytes (" +
                              std::to_string(config_->server.limits.body_bytes) + ")");
    }
    if (is_blob && !is_blob_name(request_.path.substr(request_.route->path.size()))) {
        return make_error(Errc::invalid_request, "a blob is named by its digest: sha256:HEX");
    }
    return std::nullopt;
}

/// What the path answers; for a path that is none, what any path may.
std::uint8_t Session::allowed_verbs() const {
    constexpr std::uint8_t kAny = kGet | kHead | kPost | kDelete;
    return (request_.route ? verbs_of(request_.path) : kAny) | kOptions;
}

Reply Session::preflight_reply() const {
    const std::string allow = allow_list(allowed_verbs());
    Reply reply{204, {}, {}, "Allow: " + allow + "\r\n"};
    append_preflight(reply.fields, allow, request_.asked_headers, request_.private_network);
    return reply;
}

awaitable<Session::After> Session::serve_status() {
    Reply reply = co_await status_reply();
    co_return co_await send(std::move(reply));
}

awaitable<Reply> Session::status_reply() {
    // what is shown of models is at most a second old
    constexpr std::chrono::seconds kFresh{1};
    const Handler handler = request_.route->handler;
    if (handler == Handler::root) co_return text_reply(200, "Ollama is running");
    if (handler == Handler::alive) co_return text_reply(200, "alive\n");
    if (handler == Handler::ready) co_return ready_reply(*shared_->router.view());
    if (handler == Handler::health) co_return health_reply(*shared_->router.view());
    if (handler == Handler::backends) co_return backends_reply(*shared_->router.view());
    if (handler == Handler::thermal) {
        const auto machine = shared_->router.system();
        co_return thermal_reply(machine ? *machine : monitors::SystemSnapshot{}, Clock::now());
    }
    if (handler == Handler::efficiency) {
        co_return efficiency_reply(*shared_->controller.state(), *shared_->router.view());
    }
    if (handler == Handler::efficiency_history) {
        co_return efficiency_history_reply(shared_->controller.history());
    }
    if (handler == Handler::metrics) {
        co_return metrics_reply(*shared_->router.view(), shared_->limits->connections.load());
    }
    const router::ModelsView models = co_await shared_->router.models(kFresh);
    if (handler == Handler::models) co_return models_reply(models);
    if (handler == Handler::tags) co_return tags_reply(models);
    if (handler == Handler::running) co_return running_reply(models);
    if (handler == Handler::version) co_return version_reply(models);
    co_return model_reply(models,
                          percent_decode(request_.path.substr(request_.route->path.size())));
}

}  // namespace ollama_proxy::http
